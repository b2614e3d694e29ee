import { bodyLimit } from 'hono/body-limit'
import { cors } from 'hono/cors'
import { HTTPException } from 'hono/http-exception'
import { AppError } from '../errors.ts'
import type { Logger } from '../operations/logger.ts'
import type { ObjectStorage, SignedLinks } from '../storage/contract.ts'
import { type AccessDependencies, controlAccess } from './access.ts'
import { createDelivery } from './content.ts'
import { notFound, problemResponse } from './problem.ts'
import { createRouter } from './router.ts'
import { type ImageRouteDependencies, imageRoutes } from './routes/images.ts'
import { type JobRouteDependencies, jobRoutes } from './routes/jobs.ts'
import { type RenditionRouteDependencies, renditionRoutes } from './routes/renditions.ts'
import { type ServiceRouteDependencies, serviceRoutes } from './routes/service.ts'
import { type UploadRouteDependencies, uploadRoutes } from './routes/uploads.ts'

type RouteDependencies = ImageRouteDependencies &
  RenditionRouteDependencies &
  UploadRouteDependencies &
  JobRouteDependencies &
  ServiceRouteDependencies

export interface AppDependencies extends Omit<RouteDependencies, 'deliver'>, AccessDependencies {
  readonly storage: ObjectStorage
  /** Given: who asks for bytes is sent there, instead of getting them from this server. */
  readonly links?: SignedLinks | undefined
  readonly logger: Logger
  /** Web origins that may call; undefined means any. */
  readonly corsOrigins: readonly string[] | undefined
  readonly version: string
}

/** Everything but the upload protocols. Test it with `app.request()`. */
export function createApp(dependencies: AppDependencies) {
  const { logger, corsOrigins, version, storage, links } = dependencies
  const routes = { ...dependencies, deliver: createDelivery(storage, links) }
  const app = createRouter()

  app.use(
    cors({
      origin: corsOrigins ? [...corsOrigins] : '*',
      allowMethods: ['GET', 'HEAD', 'POST', 'DELETE'],
      exposeHeaders: exposedHeaders,
    }),
  )
  app.use('/v1/*', controlAccess(dependencies))
  app.use('/v1/admin/*', bodyLimit({ maxSize: mostJson, onError: refuseLong }))
  app.route('/', serviceRoutes(routes))
  app.route('/', uploadRoutes(routes))
  app.route('/', imageRoutes(routes))
  app.route('/', renditionRoutes(routes))
  app.route('/', jobRoutes(routes))
  app.doc31('/openapi.json', {
    openapi: '3.1.0',
    info: {
      title: 'Landfall',
      version,
      description: 'Resumable uploads, and what becomes of them.',
    },
  })
  app.get('/files/:id', (c) =>
    c.redirect(`/v1/uploads/${encodeURIComponent(c.req.param('id'))}/content`, 307),
  )

  app.notFound(() => problemResponse(notFound('page')))
  app.onError((error, c) => {
    const known = knownError(error)
    if (known.status >= 500) logger.error({ err: error, path: c.req.path }, 'a request failed')
    return problemResponse(known)
  })
  return app
}

/** Those that a page of another origin may read, besides the ones it always may. */
const exposedHeaders = [
  'Accept-Ranges',
  'Content-Disposition',
  'Content-Range',
  'ETag',
  'Retry-After',
  'X-Request-Id',
]

/** Bytes of the body of a request that is no upload. */
const mostJson = 64 * 2 ** 10

function refuseLong(): Response {
  const message = `The body has more than ${mostJson} bytes.`
  return problemResponse(new AppError('body-too-large', 413, message))
}

function knownError(error: Error): AppError {
  if (error instanceof AppError) return error
  const isClients = error instanceof HTTPException && error.status < 500
  return isClients ? new AppError('bad-request', error.status, error.message) : unexpected(error)
}

function unexpected(cause: unknown): AppError {
  return new AppError('internal-error', 500, 'Something went wrong here.', { cause })
}
