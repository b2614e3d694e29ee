import { createRoute } from '@hono/zod-openapi'
import type { PostOrder, PostPosition } from '../../posts/post.ts'
import type { Posts } from '../../posts/posts.ts'
import { requireReach, userOf } from '../access.ts'
import { readCursor, readRankedCursor, toPage } from '../cursor.ts'
import { sendPage } from '../encoded.ts'
import { commentsQuery, newPostSchema, postOrderSchema, postSchema } from '../post-schemas.ts'
import type { PostViews } from '../post-views.ts'
import { notFound } from '../problem.ts'
import { created, empty, errors, json, problem } from '../responses.ts'
import { createRouter } from '../router.ts'
import { idParameter, pageOf, pageQuery } from '../schemas.ts'

export interface PostRouteDependencies {
  readonly posts: Posts
  /** For one answer. */
  readonly postViews: () => PostViews
}

const tags = ['Posts']
const missing = { 404: problem('No such post') }

const create = createRoute({
  method: 'post',
  path: '/v1/posts',
  operationId: 'createPost',
  tags,
  summary: 'Show an image of mine to all users',
  request: {
    body: { required: true, content: { 'application/json': { schema: newPostSchema } } },
  },
  responses: {
    201: created(postSchema, 'The post; its image may still be processing, or have failed'),
    ...errors(400),
    404: problem('I have no such image'),
  },
})

const list = createRoute({
  method: 'get',
  path: '/v1/posts',
  operationId: 'listPosts',
  tags,
  summary: 'Posts with their latest comments, the newest or most commented first',
  request: {
    query: pageQuery
      .extend({ sort: postOrderSchema.default('newest') })
      .extend(commentsQuery.shape),
  },
  responses: {
    200: json(pageOf(postSchema), 'A page of posts'),
    400: problem('A bad parameter, or the cursor of another order'),
  },
})

const read = createRoute({
  method: 'get',
  path: '/v1/posts/{id}',
  operationId: 'getPost',
  tags,
  summary: 'A post with its latest comments',
  request: { params: idParameter, query: commentsQuery },
  responses: { 200: json(postSchema, 'The post'), ...errors(400), ...missing },
})

const remove = createRoute({
  method: 'delete',
  path: '/v1/posts/{id}',
  operationId: 'deletePost',
  tags,
  summary: 'Delete a post of mine and the comments on it; its image stays',
  request: { params: idParameter },
  responses: { 204: empty('Deleted'), ...missing },
})

export function postRoutes({ posts, postViews }: PostRouteDependencies) {
  return createRouter()
    .openapi(create, async (c) => {
      const { imageId, caption } = c.req.valid('json')
      const views = postViews()
      const post = await posts.create({ owner: userOf(c).id, imageId, caption })
      return c.json(views.post(post), 201, { Location: views.postUrl(post.id) })
    })
    .openapi(list, async (c) => {
      const { limit, cursor, sort, comments } = c.req.valid('query')
      const after = positionOf(sort, cursor)
      const found = await posts.list({ order: sort, limit: limit + 1, after, comments })
      const rankOf = sort === 'comments' ? commentCountOf : undefined
      return sendPage(c, toPage(found, limit, postViews().encoded, rankOf))
    })
    .openapi(read, async (c) => {
      const post = await posts.find(c.req.valid('param').id, c.req.valid('query').comments)
      return c.json(postViews().post(await requireReach(c, post, 'post')), 200)
    })
    .openapi(remove, async (c) => {
      const { id } = await requireReach(c, await posts.find(c.req.valid('param').id, 0), 'post')
      if (!(await posts.remove(id))) throw notFound('post')
      return c.body(null, 204)
    })
}

const commentCountOf = ({ commentCount }: PostPosition) => commentCount

function positionOf(order: PostOrder, cursor: string | undefined): PostPosition | undefined {
  if (order === 'newest') {
    const id = readCursor(cursor)
    return id === undefined ? undefined : { id, commentCount: 0 }
  }
  const position = readRankedCursor(cursor)
  return position && { id: position.id, commentCount: position.rank }
}
