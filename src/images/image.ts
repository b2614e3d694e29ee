import { z } from 'zod'
import type { ImageRow, ImageState, RenditionRow } from '../database/schema.ts'

/**
 * An image: what is known of an upload's picture and what was made of it. Its id is the upload's.
 *
 * ```
 * processing ──renditions stored──▶ ready
 *     └──cannot be converted──▶ failed
 * ```
 */
export interface Image {
  readonly id: string
  readonly owner: string
  readonly state: ImageState
  /** Why it failed: a stable code, and words for its owner. */
  readonly error: { readonly code: string; readonly message: string } | undefined
  readonly filename: string | undefined
  /** Found from the bytes; until then, what the client said. */
  readonly contentType: string | undefined
  readonly format: string | undefined
  /** Bytes of the original. */
  readonly size: number
  /** Pixels as a person sees them. */
  readonly width: number | undefined
  readonly height: number | undefined
  readonly sha256: string | undefined
  readonly thumbhash: string | undefined
  readonly color: string | undefined
  /** Everything the camera wrote; see `publicExif` for what others may see. */
  readonly exif: Readonly<Record<string, unknown>> | undefined
  /** Milliseconds since 1970. */
  readonly createdAt: number
  readonly renditions: readonly Rendition[]
}

export interface Rendition {
  readonly preset: string
  readonly format: string
  readonly contentType: string
  readonly width: number
  readonly height: number
  readonly size: number
  readonly key: string
  readonly etag: string
  /** 1 for a still. */
  readonly frames: number
  /** How often it was made anew, counted from 1. */
  readonly revision: number
  /** See `Wanted`; undefined in those from before it was kept. */
  readonly fingerprint: string | undefined
}

const storedExif = z.record(z.string(), z.unknown())

export function toImage(row: ImageRow, renditions: readonly RenditionRow[]): Image {
  return {
    id: row.id,
    owner: row.owner,
    state: row.state,
    error: row.error_code ? { code: row.error_code, message: row.error_message ?? '' } : undefined,
    filename: row.filename ?? undefined,
    contentType: row.content_type ?? undefined,
    format: row.format ?? undefined,
    size: row.size,
    width: row.width ?? undefined,
    height: row.height ?? undefined,
    sha256: row.sha256 ?? undefined,
    thumbhash: row.thumbhash ?? undefined,
    color: row.color ?? undefined,
    exif: row.exif ? storedExif.parse(JSON.parse(row.exif)) : undefined,
    createdAt: row.created_at,
    renditions: renditions.map(toRendition),
  }
}

export function toRendition(row: RenditionRow): Rendition {
  return {
    preset: row.preset,
    format: row.format,
    contentType: row.content_type,
    width: row.width,
    height: row.height,
    size: row.size,
    key: row.storage_key,
    etag: row.etag,
    frames: row.frames,
    revision: row.revision,
    fingerprint: row.fingerprint ?? undefined,
  }
}
