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
import { empty, errors, json, problem } from '../responses.ts'
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
const tags = ['Jobs']
const missing = { 404: problem('No such job') }

const list = createRoute({
  method: 'get',
  path: '/v1/admin/jobs',
  operationId: 'listJobs',
  tags,
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
    ...errors(400),
  },
})

const read = createRoute({
  method: 'get',
  path: '/v1/admin/jobs/{id}',
  operationId: 'getJob',
  tags,
  summary: 'A job and every try of it',
  request: { params: idParameter },
  responses: { 200: json(jobWithTriesSchema, 'The job'), ...missing },
})

const retry = createRoute({
  method: 'post',
  path: '/v1/admin/jobs/{id}/retry',
  operationId: 'retryJob',
  tags,
  summary: 'Queue a dead job again',
  request: { params: idParameter },
  responses: {
    204: empty('It is queued, or there is nothing left for it to do'),
    ...missing,
    409: problem('It is not dead, or another one does its work'),
  },
})

const retryAll = createRoute({
  method: 'post',
  path: '/v1/admin/jobs/retry',
  operationId: 'retryJobs',
  tags,
  summary: 'Queue all dead jobs of a kind again',
  request: {
    body: { required: true, content: { 'application/json': { schema: z.object({ kind }) } } },
  },
  responses: {
    200: json(
      z.object({ retried: z.int().min(0).max(Number.MAX_SAFE_INTEGER) }),
      'How many are queued again',
    ),
    ...errors(400),
  },
})

const discard = createRoute({
  method: 'delete',
  path: '/v1/admin/jobs/{id}',
  operationId: 'deleteJob',
  tags,
  summary: 'Forget a job; what it was to do is not done',
  request: { params: idParameter },
  responses: {
    204: empty('Forgotten'),
    ...missing,
    409: problem('It is running'),
  },
})

/** What operators do with jobs. That the caller is one was found out before. */
export function jobRoutes({ jobs }: JobRouteDependencies) {
  return createRouter()
    .openapi(list, async (c) => {
      const { limit, cursor, ...filter } = c.req.valid('query')
      const page = { limit: limit + 1, before: readCursor(cursor) }
      const [found, depths] = await Promise.all([jobs.list(filter, page), jobs.depth()])
      const depth = depths.map((each) => depthView(each))
      return c.json({ ...toPage(found, limit, jobView), depth }, 200)
    })
    .openapi(read, async (c) => {
      const job = await jobs.find(c.req.valid('param').id)
      if (!job) throw notFound('job')
      return c.json({ ...jobView(job), tries: job.tries.map(tryView) }, 200)
    })
    .openapi(retry, async (c) => {
      await jobs.retry(c.req.valid('param').id)
      return c.body(null, 204)
    })
    .openapi(retryAll, async (c) => {
      return c.json({ retried: await jobs.retryAll(c.req.valid('json').kind) }, 200)
    })
    .openapi(discard, async (c) => {
      await jobs.discard(c.req.valid('param').id)
      return c.body(null, 204)
    })
}
