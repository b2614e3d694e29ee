import { HTTPException } from 'hono/http-exception'
import { AppError } from '../errors.ts'
import type { Logger } from '../operations/logger.ts'
import type { ObjectStorage, SignedLinks } from '../storage/contract.ts'
import { type AccessDependencies, controlAccess } from './access.ts'
import { limitBodies } from './body-limit.ts'
import { createDelivery } from './content.ts'
import { allowOrigins, type CorsOptions, refuseForeignPages } from './cors.ts'
import { describeApi } from './openapi.ts'
import { notFound, problemResponse } from './problem.ts'
import { createRouter } from './router.ts'
import { commentRoutes } from './routes/comments.ts'
import { type ImageRouteDependencies, imageRoutes } from './routes/images.ts'
import { type JobRouteDependencies, jobRoutes } from './routes/jobs.ts'
import { type OneRequestRouteDependencies, oneRequestRoutes } from './routes/one-request.ts'
import { type PostRouteDependencies, postRoutes } from './routes/posts.ts'
import { type RenditionRouteDependencies, renditionRoutes } from './routes/renditions.ts'
import { type ServiceRouteDependencies, serviceRoutes } from './routes/service.ts'
import { type UploadLinkRouteDependencies, uploadLinkRoutes } from './routes/upload-links.ts'
import { type UploadRouteDependencies, uploadRoutes } from './routes/uploads.ts'

type RouteDependencies = ImageRouteDependencies &
  OneRequestRouteDependencies &
  RenditionRouteDependencies &
  UploadLinkRouteDependencies &
  UploadRouteDependencies &
  JobRouteDependencies &
  PostRouteDependencies &
  ServiceRouteDependencies

export interface AppDependencies
  extends Omit<RouteDependencies, 'deliver'>,
    AccessDependencies,
    CorsOptions {
  readonly storage: ObjectStorage
  /** Given: who asks for bytes is sent there, instead of getting them from this server. */
  readonly links?: SignedLinks | undefined
  readonly logger: Logger
  readonly version: string
}

/** Everything but the upload protocols. Test it with `app.request()`. */
export function createApp(dependencies: AppDependencies) {
  const { logger, version, storage, links } = dependencies
  const routes = { ...dependencies, deliver: createDelivery(storage, links) }
  const app = createRouter()

  app.use(allowOrigins(dependencies))
  app.use('/v1/admin/*', refuseForeignPages(dependencies))
  app.use('/v1/*', controlAccess(dependencies))
  app.use('/v1/*', limitBodies())
  app.route('/', serviceRoutes(routes))
  app.route('/', uploadRoutes(routes))
  app.route('/', oneRequestRoutes(routes))
  app.route('/', uploadLinkRoutes(routes))
  app.route('/', imageRoutes(routes))
  app.route('/', renditionRoutes(routes))
  app.route('/', postRoutes(routes))
  app.route('/', commentRoutes(routes))
  app.route('/', jobRoutes(routes))
  let description: ReturnType<typeof describeApi> | undefined
  app.get('/openapi.json', (c) => {
    description ??= describeApi(app, version)
    return c.json(description)
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

function knownError(error: Error): AppError {
  if (error instanceof AppError) return error
  const isClients = error instanceof HTTPException && error.status < 500
  return isClients ? new AppError('bad-request', error.status, error.message) : unexpected(error)
}

function unexpected(cause: unknown): AppError {
  return new AppError('internal-error', 500, 'Something went wrong here.', { cause })
}
