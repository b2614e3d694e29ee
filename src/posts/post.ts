import type { ImageState } from '../database/schema.ts'
import type { Image, Rendition } from '../images/image.ts'

/** A picture that its owner shows to everybody, with what they said about it. */
export interface Post {
  readonly id: string
  readonly owner: string
  readonly caption: string
  readonly image: PostImage
  /** All there are. */
  readonly commentCount: number
  /** As many of the latest as were asked for, the latest first. */
  readonly comments: readonly Comment[]
  /** Milliseconds since 1970. */
  readonly createdAt: number
}

/** As much of an image as everybody may see. */
export interface PostImage extends Pick<Image, 'id' | 'error' | 'width' | 'height'> {
  readonly state: ImageState
  readonly thumbhash: string | undefined
  readonly color: string | undefined
  readonly renditions: readonly PostRendition[]
}

export type PostRendition = Omit<Rendition, 'contentType' | 'key' | 'etag' | 'fingerprint'>

export interface Comment {
  readonly id: string
  readonly postId: string
  readonly owner: string
  readonly text: string
  /** Milliseconds since 1970. */
  readonly createdAt: number
}

/** What posts are listed by. */
export type PostOrder = 'newest' | 'comments'

/** Where a page of posts ends, by whichever order: the next one goes on after it. */
export interface PostPosition {
  readonly id: string
  /** The number of comments the post had then. */
  readonly commentCount: number
}
