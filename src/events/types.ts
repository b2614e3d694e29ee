/** Every event and what it says besides its subject. */
export interface EventPayloads {
  /** All bytes of an upload are one object in storage. */
  'upload.stored': { readonly size: number }
  /** Nobody continued an upload in time. */
  'upload.expired': Record<string, never>
  /** An image's renditions can be fetched. */
  'image.ready': { readonly renditions: number }
  /** An image cannot be converted. */
  'image.failed': { readonly code: string }
  /** An image or upload, and all that was made of it, is gone. */
  'upload.removed': Record<string, never>
  /** An image is shown to everybody. */
  'post.created': { readonly imageId: string }
  /** A post is gone, and so are the comments on it. */
  'post.removed': Record<string, never>
}

export type EventType = keyof EventPayloads
