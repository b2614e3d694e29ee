import { createRoute } from '@hono/zod-openapi'
import type { Posts } from '../../posts/posts.ts'
import { requireReach, userOf } from '../access.ts'
import { readCursor, toPage } from '../cursor.ts'
import { commentSchema, newCommentSchema } from '../post-schemas.ts'
import { notFound } from '../problem.ts'
import { empty, errors, json, problem } from '../responses.ts'
import { createRouter } from '../router.ts'
import { idParameter, pageOf, pageQuery } from '../schemas.ts'
import type { PostRouteDependencies } from './posts.ts'

export type CommentRouteDependencies = Pick<PostRouteDependencies, 'postViews'> & {
  readonly posts: Pick<Posts, 'comments'>
}

const tags = ['Posts']

const list = createRoute({
  method: 'get',
  path: '/v1/posts/{id}/comments',
  operationId: 'listComments',
  tags,
  summary: 'Comments on a post, latest first',
  request: { params: idParameter, query: pageQuery },
  responses: {
    200: json(pageOf(commentSchema), 'A page of comments'),
    ...errors(400),
    404: problem('No such post'),
  },
})

const create = createRoute({
  method: 'post',
  path: '/v1/posts/{id}/comments',
  operationId: 'createComment',
  tags,
  summary: 'Comment on a post',
  request: {
    params: idParameter,
    body: { required: true, content: { 'application/json': { schema: newCommentSchema } } },
  },
  responses: {
    201: json(commentSchema, 'The comment'),
    ...errors(400),
    404: problem('No such post'),
  },
})

const remove = createRoute({
  method: 'delete',
  path: '/v1/comments/{id}',
  operationId: 'deleteComment',
  tags,
  summary: 'Delete a comment of mine',
  request: { params: idParameter },
  responses: { 204: empty('Deleted'), 404: problem('No such comment') },
})

export function commentRoutes({ posts: { comments }, postViews }: CommentRouteDependencies) {
  return createRouter()
    .openapi(list, async (c) => {
      const { limit, cursor } = c.req.valid('query')
      const { id: postId } = c.req.valid('param')
      const before = readCursor(cursor)
      const found = await comments.list({ postId, limit: limit + 1, before })
      if (!found) throw notFound('post')
      return c.json(toPage(found, limit, postViews().comment), 200)
    })
    .openapi(create, async (c) => {
      const { id: postId } = c.req.valid('param')
      const { text } = c.req.valid('json')
      const comment = await comments.add({ postId, owner: userOf(c).id, text })
      return c.json(postViews().comment(comment), 201)
    })
    .openapi(remove, async (c) => {
      const found = await comments.find(c.req.valid('param').id)
      const { id } = await requireReach(c, found, 'comment')
      if (!(await comments.remove(id))) throw notFound('comment')
      return c.body(null, 204)
    })
}
