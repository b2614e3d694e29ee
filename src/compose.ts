/** Where the parts are joined: from a configuration to an application that starts and stops. */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { createAuthenticator } from './auth/create-authenticator.ts'
import type { Authenticator } from './auth/principal.ts'
import { loadSecret } from './auth/secrets.ts'
import { describeUsers } from './auth/settings.ts'
import { SignedUrls } from './auth/signed-urls.ts'
import type { Config } from './config.ts'
import { createConverter } from './conversion/pool.ts'
import { type Database, openDatabase } from './database/database.ts'
import { lockDirectory } from './database/directory-lock.ts'
import { migrate } from './database/migrate.ts'
import { createApp } from './http/app.ts'
import { clientConfig } from './http/client-config.ts'
import { totalLoad } from './http/job-schemas.ts'
import { createLinks } from './http/links.ts'
import { createPostViews } from './http/post-views.ts'
import { createHttpServer, type HttpServer, uploadPath } from './http/server.ts'
import { createViews } from './http/views.ts'
import { convertHandler } from './images/convert-job.ts'
import { reconvertHandler } from './images/reconvert-job.ts'
import { imageListener } from './images/upload-listener.ts'
import { createWorkDirectories } from './images/work-directory.ts'
import { createHealth } from './operations/health.ts'
import { createInstance, type Instance } from './operations/instance.ts'
import { createLogger, type Logger } from './operations/logger.ts'
import { shutDown } from './operations/shutdown.ts'
import { createPosts } from './posts/posts.ts'
import { removeCommentsHandler, removePostsOf } from './posts/removal.ts'
import { isPosted } from './posts/shown.ts'
import { createAvatars } from './profiles/avatars.ts'
import type { JobQueue } from './queue/contract.ts'
import { createQueue } from './queue/create-queue.ts'
import { logReport } from './queue/log-report.ts'
import { hasSignedLinks, type Storage } from './storage/contract.ts'
import { createDiskStorage } from './storage/disk/disk-storage.ts'
import { createMemoryBudget } from './storage/memory/budget.ts'
import { discardHandler, removeObjectsHandler } from './uploads/discard.ts'
import { createExpiry } from './uploads/expire.ts'
import { createFinish } from './uploads/finish.ts'
import { Leases } from './uploads/leases.ts'
import { createAdmission } from './uploads/limits/admission.ts'
import { createUploadLinks } from './uploads/links/service.ts'
import type { UploadListener } from './uploads/listener.ts'
import { createTakeFile } from './uploads/one-request/take-file.ts'
import { createReceive } from './uploads/receive.ts'
import { createReconciler } from './uploads/reconcile.ts'
import { createRemoveHeld, createRemoveUpload } from './uploads/remove.ts'
import { createUploadRequests, createUploadService } from './uploads/service.ts'

export interface Application {
  /** Resolves once it listens. @throws AppError, with one line for the operator, when it cannot. */
  start(): Promise<void>
  /** Stops in phases, each with a limit. Returns whether all of them came to their end. */
  stop(): Promise<boolean>
}

/** What every part stands on. */
interface Base {
  readonly config: Config
  readonly logger: Logger
  readonly database: Database
  readonly storage: Storage
  readonly queue: JobQueue
  readonly authenticator: Authenticator
}

/** Builds the application. Nothing is opened or started before `start`. */
export async function compose(config: Config): Promise<Application> {
  const logger = createLogger(config.operations.logLevel)
  // With SQLite there is one program; whatever another one holds is left over.
  const instance = createInstance({ alone: config.database.kind === 'sqlite' })
  const database = openDatabase(config.database, (error) =>
    logger.warn({ err: error }, 'a database connection broke'),
  )
  const storage = await openStorage(config)
  const queue = await createQueue({
    database,
    instance,
    concurrency: {
      'image.convert': config.conversion.concurrency,
      // What is new does not wait for what is made anew.
      'image.reconvert': Math.ceil(config.conversion.concurrency / 2),
    },
    report: (report) => logReport(logger, report),
  })
  const authenticator = createAuthenticator(config.auth, logger)
  const base: Base = { config, logger, database, storage, queue, authenticator }
  const uploads = composeUploads(base, instance)
  const signedUrls = new SignedUrls()
  const stopping = new AbortController()
  const http = composeHttp(base, uploads, signedUrls, stopping.signal)
  const { converter, directories } = composeJobs(base, instance)

  let unlock = () => {}
  const acceptNoMore = () => {
    stopping.abort()
    http.stopAccepting()
  }
  return {
    async start() {
      if (keepsData(config)) unlock = lockDirectory(config.dataDirectory)
      await storage.check()
      await database.check()
      await migrate(database)
      signedUrls.useKey(await loadSecret(database, 'signed-urls'))
      await queue.prepare()
      await directories.sweep()
      await uploads.leases.start()
      // Before any work is taken on: a port in use is found out without having begun anything.
      const url = await http.listen(config.http.port, config.http.host)
      await queue.start()
      uploads.reconciler.start()
      uploads.expiry.start()
      uploads.links.sweep.start()
      announce(base, url)
    },
    async stop() {
      logger.info('stopping: what is under way is brought to a safe place')
      const clean = await shutDown(
        [
          { name: 'accept no more', limitMs: 1_000, run: async () => acceptNoMore() },
          {
            name: 'let uploads record what they have',
            limitMs: 15_000,
            run: () => uploads.leases.drain(),
          },
          { name: 'finish uploads', limitMs: 10_000, run: uploads.reconciler.stop },
          { name: 'look after links', limitMs: 5_000, run: uploads.links.sweep.stop },
          { name: 'clear away uploads', limitMs: 5_000, run: uploads.expiry.stop },
          { name: 'finish jobs', limitMs: 30_000, run: () => queue.stop(25_000) },
          { name: 'close connections', limitMs: 2_000, run: http.close },
          { name: 'end conversions', limitMs: 5_000, run: () => converter.close() },
          { name: 'end leases', limitMs: 2_000, run: () => uploads.leases.stop() },
          { name: 'close storage', limitMs: 2_000, run: () => storage.close() },
          { name: 'close the database', limitMs: 5_000, run: () => database.close() },
          { name: 'leave the directory to others', limitMs: 1_000, run: async () => unlock() },
        ],
        logger,
      )
      logger.info({ clean }, 'stopped')
      return clean
    },
  }
}

function composeJobs({ config, logger, database, storage, queue }: Base, instance: Instance) {
  const converter = createConverter({ ...config.conversion, logger })
  const directories = createWorkDirectories(join(config.dataDirectory, 'tmp'), instance)
  const { presets } = config.conversion
  const images = { database, storage, queue, converter, presets, directories, logger }
  queue.handle(convertHandler(images))
  queue.handle(reconvertHandler(images))
  queue.handle(discardHandler(storage))
  queue.handle(removeObjectsHandler(storage))
  queue.handle(removeCommentsHandler(database))
  return { converter, directories }
}

function composeUploads(base: Base, instance: Instance) {
  const { config, logger, database, storage, queue, authenticator } = base
  const { expiresIn, maxSize } = config.uploads
  const admission = createAdmission(config.limits)
  const listener = withPosts(imageListener(queue, config.conversion.presets), queue)
  const leases = new Leases({
    database,
    logger,
    holder: instance.holder,
    isGone: instance.isDeadHolder,
  })
  const finish = createFinish({
    database,
    storage,
    queue,
    listener,
    maxSize,
    accept: config.limits.accept,
    onReady: () => reconciler.ring(),
  })
  const remove = createRemoveUpload({ database, queue, listener, leases })
  const receive = createReceive({
    database,
    storage,
    finish,
    expiresIn,
    listener,
  })
  const { publicUrl, trustProxy, corsOrigins } = config.http
  const requests = createUploadRequests(
    { database, storage, leases, receive, finish, remove, admission },
    { maxSize, expiresIn },
  )
  const service = createUploadService(
    { database, requests, authenticator, logger },
    { path: uploadPath, maxSize, publicUrl, trustProxy, corsOrigins },
  )
  const removeHeld = createRemoveHeld({ database, queue, listener })
  const takeFile = createTakeFile({ database, leases, begin: requests.begin, remove, removeHeld })
  const reconciler = createReconciler({ database, leases, finish, logger })
  const expiry = createExpiry({ database, queue, logger })
  const links = createUploadLinks(
    { database, storage, leases, receive, finish, admission, logger },
    { maxSize, expiresIn },
  )
  return { service, takeFile, remove, leases, reconciler, expiry, admission, links }
}

/** What shows an image goes with it. */
function withPosts(images: UploadListener, queue: JobQueue): UploadListener {
  return {
    ...images,
    async removing(trx, id) {
      const keys = await images.removing(trx, id)
      await removePostsOf(queue, trx, id)
      return keys
    },
  }
}

function composeHttp(
  { config, logger, database, storage, queue, authenticator }: Base,
  uploads: ReturnType<typeof composeUploads>,
  signedUrls: SignedUrls,
  stopping: AbortSignal,
): HttpServer {
  const { publicUrl = '', corsOrigins } = config.http
  const jobs = queue.administration
  const links = createLinks(publicUrl, config.auth.mode === 'jwt' ? signedUrls : undefined)
  const views = createViews(links)
  const app = createApp({
    jobs,
    authenticator,
    signedUrls,
    logger,
    queries: database.queries,
    storage,
    removeUpload: uploads.remove,
    takeFile: uploads.takeFile,
    stopping,
    uploadLinks: uploads.links,
    isShown: (imageId) => isPosted(database.queries, imageId),
    views,
    posts: createPosts({ database, queue }),
    postViews: createPostViews(links, views),
    avatars: createAvatars(database),
    links: config.http.delivery === 'redirect' && hasSignedLinks(storage) ? storage : undefined,
    presets: config.conversion.presets,
    health: createHealth(
      { database: () => database.check(), storage: () => storage.ping() },
      async () => totalLoad(await jobs.depth()),
      (part, error) => logger.warn({ err: error, part }, `the ${part} is not usable`),
    ),
    config: clientConfig({
      publicUrl: config.http.publicUrl,
      maxSize: config.uploads.maxSize,
      limits: config.limits,
      presets: config.conversion.presets,
    }),
    corsOrigins,
    publicUrl: config.http.publicUrl,
    version,
  })
  return createHttpServer({ logger, uploads: uploads.service, app })
}

/** Whether objects or records are in files of this machine, which only one process may write. */
function keepsData({ storage, database }: Config): boolean {
  return storage.bucket === undefined || database.kind === 'sqlite'
}

/** The AWS SDK is loaded for a bucket only: it takes memory, and much of the time a start takes. */
async function openStorage({ storage, uploads, dataDirectory }: Config): Promise<Storage> {
  const { bucket, ...s3 } = storage
  if (!bucket) return createDiskStorage(join(dataDirectory, 'objects'))
  const { createS3Storage } = await import('./storage/s3/s3-storage.ts')
  return createS3Storage({ bucket, ...s3, memory: createMemoryBudget(uploads.memory) })
}

function announce({ config: { auth }, logger, storage, database }: Base, url: string): void {
  const [objects, records, users] = [storage.describe(), database.describe(), describeUsers(auth)]
  const off = auth.mode === 'jwt' ? [] : ['auth']
  logger.info(
    { event: 'listening', url, storage: objects, database: records, users, off },
    `landfall ${version} listens on ${url}; objects: ${objects}; records: ${records}; users: ${users}; off: ${off.join(', ') || 'nothing'}`,
  )
}

const { version }: { version: string } = createRequire(import.meta.url)('../package.json')
