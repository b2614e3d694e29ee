import { HTTPException } from 'hono/http-exception'
import { AppError } from '../errors.ts'
import type { Logger } from '../operations/logger.ts'
import type { ObjectStorage, SignedLinks } from '../storage/contract.ts'
import { type AccessDependencies, controlAccess } from './access.ts'
import { afterAnswer, asAnswerOf } from './after-answer.ts'
import { limitBodies } from './body-limit.ts'
import { createDelivery } from './content.ts'
import { allowOrigins, type CorsOptions, refuseForeignPages } from './cors.ts'
import { serveDescription } from './openapi.ts'
import { notFound, problemResponse } from './problem.ts'
import { createRouter } from './router.ts'
import { commentRoutes } from './routes/comments.ts'
import { docsRoutes } from './routes/docs.ts'
import { type ImageRouteDependencies, imageRoutes } from './routes/images.ts'
import { type JobRouteDependencies, jobRoutes } from './routes/jobs.ts'
import { type OneRequestRouteDependencies, oneRequestRoutes } from './routes/one-request.ts'
import { type PostRouteDependencies, postRoutes } from './routes/posts.ts'
import { type ProfileRouteDependencies, profileRoutes } from './routes/profiles.ts'
import { type RenditionRouteDependencies, renditionRoutes } from './routes/renditions.ts'
import { type ServiceRouteDependencies, serviceRoutes } from './routes/service.ts'
import { type UploadLinkRouteDependencies, uploadLinkRoutes } from './routes/upload-links.ts'
import { uploadProtocols } from './routes/upload-protocols.ts'
import { type UploadRouteDependencies, uploadRoutes } from './routes/uploads.ts'

type RouteDependencies = ImageRouteDependencies &
  OneRequestRouteDependencies &
  RenditionRouteDependencies &
  UploadLinkRouteDependencies &
  UploadRouteDependencies &
  ProfileRouteDependencies &
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

/** Everything but the upload protocols, which it describes only. Test it with `app.request()`. */
export function createApp(dependencies: AppDependencies) {
  const { logger, version, publicUrl, storage, links } = dependencies
  const routes = { ...dependencies, deliver: createDelivery(storage, links) }
  const app = createRouter()

  app.use(afterAnswer(allowOrigins(dependencies)))
  app.use('/v1/admin/*', refuseForeignPages(dependencies))
  app.use('/v1/*', controlAccess(dependencies))
  app.use('/v1/*', limitBodies())
  // In one chain, so that its type knows every route: see `client.ts`.
  const api = app
    .route('/', serviceRoutes(routes))
    .route('/', uploadProtocols(routes))
    .route('/', uploadRoutes(routes))
    .route('/', oneRequestRoutes(routes))
    .route('/', uploadLinkRoutes(routes))
    .route('/', imageRoutes(routes))
    .route('/', renditionRoutes(routes))
    .route('/', postRoutes(routes))
    .route('/', commentRoutes(routes))
    .route('/', profileRoutes(routes))
    .route('/', jobRoutes(routes))
  app.route('/', docsRoutes({ publicUrl }))
  serveDescription(app, { version, publicUrl })
  app.get('/files/:id', (c) =>
    c.redirect(`/v1/uploads/${encodeURIComponent(c.req.param('id'))}/content`, 307),
  )

  app.notFound(() => problemResponse(notFound('page')))
  app.onError((error, c) => {
    const known = knownError(error)
    if (known.status >= 500) logger.error({ err: error, path: c.req.path }, 'a request failed')
    return asAnswerOf(c, problemResponse(known))
  })
  return api
}

function knownError(error: Error): AppError {
  if (error instanceof AppError) return error
  const isClients = error instanceof HTTPException && error.status < 500
  return isClients ? new AppError('bad-request', error.status, error.message) : unexpected(error)
}

function unexpected(cause: unknown): AppError {
  return new AppError('internal-error', 500, 'Something went wrong here.', { cause })
}
