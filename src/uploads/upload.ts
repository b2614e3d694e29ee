import type { UploadRow, UploadState } from '../database/schema.ts'

/**
 * An upload as the ledger has it.
 *
 * ```
 * receiving ──last byte──▶ assembling ──object exists──▶ stored
 *     └───────────┴──bytes lost in storage──▶ failed
 * ```
 */
export interface Upload {
  readonly id: string
  readonly owner: string
  /** The protocol it was created with. */
  readonly dialect: string
  /** Total bytes; undefined while the client has not said. */
  readonly length: number | undefined
  /** Bytes durable in storage, contiguous from zero. */
  readonly offset: number
  /** `Upload-Metadata` as the protocol has it. */
  readonly metadata: string | undefined
  /** What the client calls it. Never trusted, never part of a path. */
  readonly filename: string | undefined
  /** What the client says it is. */
  readonly contentType: string | undefined
  readonly state: UploadState
  /** Why it failed, in words for its owner. */
  readonly failure: string | undefined
  readonly sha256: string | undefined
  /** Milliseconds since 1970. */
  readonly createdAt: number
  readonly storedAt: number | undefined
}

export type NewUpload = Pick<
  Upload,
  'id' | 'owner' | 'dialect' | 'length' | 'metadata' | 'filename' | 'contentType'
>

export function toUpload(row: UploadRow): Upload {
  return {
    id: row.id,
    owner: row.owner,
    dialect: row.dialect,
    length: row.length ?? undefined,
    offset: row.offset,
    metadata: row.metadata ?? undefined,
    filename: row.filename ?? undefined,
    contentType: row.content_type ?? undefined,
    state: row.state,
    failure: row.failure ?? undefined,
    sha256: row.sha256 ?? undefined,
    createdAt: row.created_at,
    storedAt: row.stored_at ?? undefined,
  }
}
