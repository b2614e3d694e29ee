import { cors } from 'hono/cors'
import type { Authenticator } from '../auth/principal.ts'
import { AppError } from '../errors.ts'
import type { Logger } from '../operations/logger.ts'
import { notFound, problemResponse } from './problem.ts'
import { createRouter } from './router.ts'
import { type ImageRouteDependencies, imageRoutes } from './routes/images.ts'
import { type ServiceRouteDependencies, serviceRoutes } from './routes/service.ts'
import { type UploadRouteDependencies, uploadRoutes } from './routes/uploads.ts'

export interface AppDependencies
  extends ImageRouteDependencies,
    UploadRouteDependencies,
    ServiceRouteDependencies {
  readonly authenticator: Authenticator
  readonly logger: Logger
  /** Web origins that may call; undefined means any. */
  readonly corsOrigins: readonly string[] | undefined
  readonly version: string
}

/** Everything but the upload protocols. Test it with `app.request()`. */
export function createApp(dependencies: AppDependencies) {
  const { authenticator, logger, corsOrigins, version } = dependencies
  const app = createRouter()

  app.use(
    cors({
      origin: corsOrigins ? [...corsOrigins] : '*',
      allowMethods: ['GET', 'HEAD', 'DELETE'],
      exposeHeaders: exposedHeaders,
    }),
  )
  app.use('/v1/*', async (c, next) => {
    c.set('principal', await authenticator.authenticate(c.req.raw.headers))
    await next()
  })
  app.route('/', serviceRoutes(dependencies))
  app.route('/', uploadRoutes(dependencies))
  app.route('/', imageRoutes(dependencies))
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
    const known = error instanceof AppError ? error : unexpected(error)
    if (known.status >= 500) logger.error({ err: error, path: c.req.path }, 'a request failed')
    return problemResponse(known)
  })
  return app
}

const exposedHeaders = ['Accept-Ranges', 'Content-Range', 'ETag', 'Retry-After', 'X-Request-Id']

function unexpected(cause: unknown): AppError {
  return new AppError('internal-error', 500, 'Something went wrong here.', { cause })
}
