import type { Insertable } from 'kysely'
import type { Principal } from '../../src/auth/principal.ts'
import { SignedUrls } from '../../src/auth/signed-urls.ts'
import type { Database } from '../../src/database/database.ts'
import type { ImagesTable, RenditionsTable } from '../../src/database/schema.ts'
import { type AppDependencies, createApp } from '../../src/http/app.ts'
import { createLinks } from '../../src/http/links.ts'
import { createPostViews } from '../../src/http/post-views.ts'
import { createViews } from '../../src/http/views.ts'
import { createPosts } from '../../src/posts/posts.ts'
import { isPosted } from '../../src/posts/shown.ts'
import { createAvatars } from '../../src/profiles/avatars.ts'
import type { Storage } from '../../src/storage/contract.ts'
import { originalKey, renditionKey } from '../../src/storage/keys.ts'
import { markFailed, markStored } from '../../src/uploads/ledger.ts'
import { createTakeFile } from '../../src/uploads/one-request/take-file.ts'
import { createUploadRequests } from '../../src/uploads/service.ts'
import type { NewUpload } from '../../src/uploads/upload.ts'
import { MemoryJobs } from './jobs.ts'
import { leaseOf, never, silent } from './leases.ts'
import { begunUpload, idleQueue, linksOf, uploadCore, wholeUpload } from './uploads.ts'

/** Who asks, unless a test says otherwise. */
const user: Principal = { id: 'local', isAdmin: false, isStorage: false }

/** The API over a database and a storage, without a socket. */
export function testApp(
  database: Database,
  storage: Storage,
  given: Partial<AppDependencies> = {},
) {
  const core = uploadCore({ database, storage })
  const { begin } = createUploadRequests(
    { ...core, database, storage },
    { maxSize: 2 ** 40, expiresIn: 86_400_000 },
  )
  const links = createLinks('')
  const views = createViews(links)
  return createApp({
    authenticator: { authenticate: async () => user },
    signedUrls: signedUrls(),
    logger: silent,
    queries: database.queries,
    storage,
    isShown: (id) => isPosted(database.queries, id),
    removeUpload: core.remove,
    takeFile: createTakeFile({ ...core, database, begin }),
    stopping: never,
    uploadLinks: linksOf(core, { database, storage }),
    views,
    posts: createPosts({ database, queue: idleQueue() }),
    postViews: createPostViews(links, views),
    avatars: createAvatars(database),
    presets: [
      { name: 'thumb', formats: ['webp'] },
      { name: 'large', formats: ['avif', 'webp'] },
    ],
    jobs: new MemoryJobs(),
    health: { report: async () => ({ ready: true, checks: { database: 'ok' }, load: undefined }) },
    config: {
      uploadUrl: '/files',
      maxUploadSize: 1,
      accept: null,
      userMaxBytes: null,
      userMaxUnfinished: null,
      userUploadsPerMinute: null,
      chunkSize: 1,
      retryDelays: [],
      presets: [],
    },
    corsOrigins: undefined,
    version: '0.0.0',
    ...given,
  })
}

function signedUrls(): SignedUrls {
  const urls = new SignedUrls()
  urls.useKey(Buffer.alloc(32, 7))
  return urls
}

/** A stored upload with its bytes. */
export async function storedUpload(
  database: Database,
  storage: Storage,
  content: Buffer,
  given: Partial<NewUpload> = {},
): Promise<string> {
  const id = await wholeUpload(database, { ...given, length: content.length })
  await storage.put(originalKey(id), content, 'application/octet-stream')
  const fence = await leaseOf(database, id)
  await database.transaction((trx) => markStored(trx, fence))
  return id
}

/** An upload of which not all bytes are there. */
export async function unfinishedUpload(
  database: Database,
  given: Partial<NewUpload> = {},
): Promise<string> {
  return begunUpload(database, given)
}

/** An upload of which storage has lost bytes. */
export async function failedUpload(database: Database, failure: string): Promise<string> {
  const id = await begunUpload(database)
  await markFailed(database.queries, await leaseOf(database, id), failure)
  return id
}

/** The image record of a stored upload. */
export async function imageOf(
  { queries }: Database,
  id: string,
  given: Partial<Insertable<ImagesTable>> = {},
): Promise<void> {
  await queries
    .insertInto('images')
    .values({ id, owner: 'local', state: 'processing', size: 10, created_at: Date.now(), ...given })
    .execute()
}

/** A rendition with its bytes. */
export async function renditionOf(
  { queries }: Database,
  storage: Storage,
  id: string,
  preset: string,
  format: string,
  given: Partial<Insertable<RenditionsTable>> = {},
): Promise<Buffer> {
  const bytes = Buffer.from(`the ${preset} as ${format}`)
  const key = renditionKey(id, preset, format)
  await storage.put(key, bytes, `image/${format}`)
  await queries
    .insertInto('renditions')
    .values({
      image_id: id,
      preset,
      format,
      content_type: `image/${format}`,
      width: 320,
      height: 200,
      size: bytes.length,
      storage_key: key,
      etag: `etag-of-${preset}-${format}`,
      ...given,
    })
    .execute()
  return bytes
}
