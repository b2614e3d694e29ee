import type { z } from '@hono/zod-openapi'
import type { Comment, Post, PostImage } from '../posts/post.ts'
import { Encoded } from './encoded.ts'
import type { Links } from './links.ts'
import type { commentSchema, postSchema } from './post-schemas.ts'
import { timeView, type Views } from './views.ts'

export type PostView = z.infer<typeof postSchema>
export type CommentView = z.infer<typeof commentSchema>

type ImageViews = Pick<Views, 'renditions' | 'avatarUrl'>

/** What the posts or comments of one answer look like. */
export interface PostViews {
  /** Where a post is. */
  postUrl(id: string): string
  post(post: Post): PostView
  /** The same as JSON, kept for as long as it is the same post and its links last. */
  encoded(post: Post): Encoded<PostView>
  comment(comment: Comment): CommentView
}

/**
 * Turns posts and comments into what clients see. Call what it returns for each answer: within one the
 * URL of an author's picture is made once.
 */
export function createPostViews(links: Links, views: ImageViews): () => PostViews {
  let known = new WeakMap<Post, Encoded<PostView>>()
  let madeWith = ''

  /** Links run out together: when one has become another, so have all. */
  const forgetOldLinks = () => {
    const link = links.open('/')
    if (link !== madeWith) known = new WeakMap()
    madeWith = link
  }

  return () => {
    forgetOldLinks()
    const fresh = viewsOf(links, views)
    const encoded = (post: Post) => {
      const view = known.get(post) ?? new Encoded(fresh.post(post))
      known.set(post, view)
      return view
    }
    return { ...fresh, encoded }
  }
}

function viewsOf(links: Links, { renditions, avatarUrl }: ImageViews): Omit<PostViews, 'encoded'> {
  const authors = new Map<string, CommentView['author']>()

  const authorView = (id: string) => {
    const known = authors.get(id)
    if (known) return known
    const view = { id, avatarUrl: avatarUrl(id) }
    authors.set(id, view)
    return view
  }

  const imageView = (image: PostImage): PostView['image'] => ({
    id: image.id,
    state: image.state,
    ...(image.error && { error: image.error }),
    width: image.width ?? null,
    height: image.height ?? null,
    thumbhash: image.thumbhash ?? null,
    color: image.color ?? null,
    renditions: renditions(image),
  })

  const comment = ({ id, postId, owner, text, createdAt }: Comment): CommentView => ({
    ...{ id, postId, author: authorView(owner), text },
    createdAt: timeView(createdAt),
  })

  return {
    postUrl: (id) => links.to(`/v1/posts/${id}`),
    comment,
    post: ({ id, owner, caption, image, commentCount, comments, createdAt }) => ({
      ...{ id, author: authorView(owner), caption, image: imageView(image), commentCount },
      comments: comments.map(comment),
      createdAt: timeView(createdAt),
    }),
  }
}
