import { createRoute, z } from '@hono/zod-openapi'
import type { JobAdministration } from '../../queue/contract.ts'
import { readCursor, toPage } from '../cursor.ts'
import {
  depthSchema,
  depthView,
  jobSchema,
  jobStateSchema,
  jobView,
  jobWithTriesSchema,
  tryView,
} from '../job-schemas.ts'
import { notFound } from '../problem.ts'
import { json, problem } from '../responses.ts'
import { createRouter } from '../router.ts'
import { idParameter, pageOf, pageQuery } from '../schemas.ts'

export interface JobRouteDependencies {
  readonly jobs: JobAdministration
}

/** Of printable characters, as PostgreSQL cannot be asked for a NUL. */
const kind = z
  .string()
  .min(1)
  .max(100)
  .regex(/^[ -~]*$/, 'not the name of a kind')
  .openapi({ example: 'image.convert' })
const moment = z.iso
  .datetime({ offset: true })
  .transform((text) => Date.parse(text))
  .refine(Number.isFinite, 'no such moment')
  .openapi({ type: 'string', format: 'date-time' })
const forbidden = { 403: problem('Not an operator') }
const missing = { 404: problem('No such job') }

const list = createRoute({
  method: 'get',
  path: '/v1/admin/jobs',
  summary: 'Jobs, newest first, and how many there are to do',
  request: {
    query: pageQuery.extend({
      state: jobStateSchema.optional(),
      kind: kind.optional(),
      createdBefore: moment.optional(),
    }),
  },
  responses: {
    200: json(pageOf(jobSchema).extend({ depth: z.array(depthSchema) }), 'A page of jobs'),
    400: problem('A bad parameter'),
    ...forbidden,
  },
})

const read = createRoute({
  method: 'get',
  path: '/v1/admin/jobs/{id}',
  summary: 'A job and every try of it',
  request: { params: idParameter },
  responses: { 200: json(jobWithTriesSchema, 'The job'), ...forbidden, ...missing },
})

const retry = createRoute({
  method: 'post',
  path: '/v1/admin/jobs/{id}/retry',
  summary: 'Queue a dead job again',
  request: { params: idParameter },
  responses: {
    204: { description: 'It is queued, or there is nothing left for it to do' },
    ...forbidden,
    ...missing,
    409: problem('It is not dead, or another one does its work'),
  },
})

const retryAll = createRoute({
  method: 'post',
  path: '/v1/admin/jobs/retry',
  summary: 'Queue all dead jobs of a kind again',
  request: {
    body: { required: true, content: { 'application/json': { schema: z.object({ kind }) } } },
  },
  responses: {
    200: json(z.object({ retried: z.int().min(0) }), 'How many are queued again'),
    400: problem('A bad body'),
    ...forbidden,
    413: problem('A body that is far too long'),
    415: problem('A body that is no JSON by its type'),
  },
})

const discard = createRoute({
  method: 'delete',
  path: '/v1/admin/jobs/{id}',
  summary: 'Forget a job; what it was to do is not done',
  request: { params: idParameter },
  responses: {
    204: { description: 'Forgotten' },
    ...forbidden,
    ...missing,
    409: problem('It is running'),
  },
})

/** What operators do with jobs. That the caller is one was found out before. */
export function jobRoutes({ jobs }: JobRouteDependencies) {
  const app = createRouter()

  app.openapi(list, async (c) => {
    const { limit, cursor, ...filter } = c.req.valid('query')
    const page = { limit: limit + 1, before: readCursor(cursor) }
    const [found, depths] = await Promise.all([jobs.list(filter, page), jobs.depth()])
    const depth = depths.map((each) => depthView(each))
    return c.json({ ...toPage(found, limit, jobView), depth }, 200)
  })

  app.openapi(read, async (c) => {
    const job = await jobs.find(c.req.valid('param').id)
    if (!job) throw notFound('job')
    return c.json({ ...jobView(job), tries: job.tries.map(tryView) }, 200)
  })

  app.openapi(retry, async (c) => {
    await jobs.retry(c.req.valid('param').id)
    return c.body(null, 204)
  })

  app.openapi(retryAll, async (c) => {
    return c.json({ retried: await jobs.retryAll(c.req.valid('json').kind) }, 200)
  })

  app.openapi(discard, async (c) => {
    await jobs.discard(c.req.valid('param').id)
    return c.body(null, 204)
  })

  return app
}
