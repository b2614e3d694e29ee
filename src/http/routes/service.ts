import { createRoute, type z } from '@hono/zod-openapi'
import type { Health } from '../../operations/health.ts'
import type { QueueLoad } from '../job-schemas.ts'
import { json } from '../responses.ts'
import { createRouter } from '../router.ts'
import { configSchema, healthSchema } from '../schemas.ts'

export interface ServiceRouteDependencies {
  readonly health: Health<QueueLoad>
  readonly config: z.infer<typeof configSchema>
}

const tags = ['Service']

const readConfig = createRoute({
  method: 'get',
  path: '/v1/config',
  operationId: 'getConfig',
  tags,
  summary: 'Limits, and what clients do well to use',
  responses: { 200: json(configSchema, 'The limits') },
})

const healthz = createRoute({
  method: 'get',
  path: '/healthz',
  operationId: 'getLiveness',
  tags,
  summary: 'Whether the process is alive',
  responses: { 200: json(healthSchema, 'It is') },
})

const readyz = createRoute({
  method: 'get',
  path: '/readyz',
  operationId: 'getReadiness',
  tags,
  summary: 'Whether it can take work (database and storage answer), and how much it has',
  responses: { 200: json(healthSchema, 'It can'), 503: json(healthSchema, 'It cannot') },
})

export function serviceRoutes({ health, config }: ServiceRouteDependencies) {
  return createRouter()
    .openapi(readConfig, (c) => c.json(config, 200))
    .openapi(healthz, (c) => c.json({ status: 'ok' as const, checks: {} }, 200))
    .openapi(readyz, async (c) => {
      const { ready, checks, load: queue = null } = await health.report()
      c.header('Cache-Control', 'no-store')
      return ready
        ? c.json({ status: 'ok' as const, checks, queue }, 200)
        : c.json({ status: 'unavailable' as const, checks, queue }, 503)
    })
}
