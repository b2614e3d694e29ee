import type { z } from '@hono/zod-openapi'
import { publicExif } from '../conversion/exif.ts'
import type { Image } from '../images/image.ts'
import type { PostImage, PostRendition } from '../posts/post.ts'
import type { Upload } from '../uploads/upload.ts'
import type { Links } from './links.ts'
import type { imageSchema, uploadSchema } from './schemas.ts'

export type ImageView = z.infer<typeof imageSchema>
export type UploadView = z.infer<typeof uploadSchema>

type Shown = Pick<PostImage, 'id' | 'renditions'>

/** Turns records into what clients see. */
export function createViews(links: Links) {
  const contentUrl = (id: string) => links.open(`/v1/uploads/${id}/content`)

  const renditionView = ({ id, renditions }: Shown, rendition: PostRendition) => {
    const { preset, format, width, height, size, frames, revision } = rendition
    const alone = renditions.filter((other) => other.preset === preset).length === 1
    // What is at a URL stays, so that it can be cached for ever.
    const url = links.open(`/v1/images/${id}/${preset}`, {
      ...(!alone && { format }),
      ...(revision > 1 && { v: String(revision) }),
    })
    return { preset, format, width, height, size, frames, url }
  }

  const renditions = (image: Shown) =>
    image.renditions.map((rendition) => renditionView(image, rendition))

  /** As its owner sees it. */
  const imageView = (image: Image): ImageView => ({
    id: image.id,
    state: image.state,
    ...(image.error && { error: image.error }),
    filename: image.filename ?? null,
    contentType: image.contentType ?? null,
    format: image.format ?? null,
    size: image.size,
    width: image.width ?? null,
    height: image.height ?? null,
    sha256: image.sha256 ?? null,
    thumbhash: image.thumbhash ?? null,
    color: image.color ?? null,
    exif: publicExif(image.exif) ?? null,
    createdAt: timeView(image.createdAt),
    contentUrl: contentUrl(image.id),
    renditions: renditions(image),
  })

  return {
    /** Where the record of an upload is. */
    uploadUrl: (id: string) => links.to(`/v1/uploads/${id}`),

    /** Where the record of an image is, or will be. */
    imageUrl: (id: string) => links.to(`/v1/images/${id}`),

    /** Also for what an image is a part of. */
    renditions,

    image: imageView,

    /** As those see an image that its owner has shown it to: without the original, and what it tells. */
    shownImage: (image: Image): ImageView => ({
      ...imageView(image),
      ...{ filename: null, sha256: null, exif: null, contentUrl: null },
    }),

    /** Of whoever it is: it is not looked at whether they have one. */
    avatarUrl: (userId: string): string =>
      links.open(`/v1/users/${encodeURIComponent(userId.toWellFormed())}/avatar`),

    upload: (upload: Upload, image: Image | undefined): UploadView => ({
      id: upload.id,
      state: upload.state,
      ...(upload.failure && { error: { code: 'upload-failed', message: upload.failure } }),
      length: upload.length ?? null,
      offset: upload.offset,
      filename: upload.filename ?? null,
      contentType: image?.contentType ?? upload.contentType ?? null,
      sha256: upload.sha256 ?? null,
      createdAt: timeView(upload.createdAt),
      expiresAt: upload.expiresAt === undefined ? null : timeView(upload.expiresAt),
      storedAt: upload.storedAt === undefined ? null : timeView(upload.storedAt),
      contentUrl: hasContent(upload) ? contentUrl(upload.id) : null,
      image: image ? { state: image.state, ...(image.error && { error: image.error }) } : null,
    }),
  }
}

export type Views = ReturnType<typeof createViews>

/** Bytes of an upload that is a part of another one are there. */
function hasContent({ state, concat }: Upload): boolean {
  return state === 'stored' && concat?.role !== 'partial'
}

/** RFC 3339, in UTC. */
export function timeView(milliseconds: number): string {
  return new Date(milliseconds).toISOString()
}
