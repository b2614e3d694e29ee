/**
 * The stack Landfall is compared with, as its guides show it: @tus/server on @tus/file-store or
 * @tus/s3-store, with a finish hook that makes an image of what was uploaded.
 */
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { getRequestListener, type HttpBindings } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import { FileStore } from '@tus/file-store'
import { S3Store } from '@tus/s3-store'
import { FileKvStore, MemoryLocker, Server, type ServerOptions } from '@tus/server'
import { Hono } from 'hono'
import sharp from 'sharp'
import type { StockOptions } from './stock-options.ts'

const cleanUpEveryMs = 500

const options = JSON.parse(process.argv[2] ?? '') as StockOptions
const { madeDirectory, expiresIn, lockTimeout } = options
const datastore = 'directory' in options.store ? fileStore(options.store) : s3Store(options.store)
const tus = new Server({
  path: '/files',
  datastore,
  ...(lockTimeout && { locker: new MemoryLocker({ acquireLockTimeout: lockTimeout }) }),
  onUploadFinish,
})
const server = createServer(listeners()[options.mount])
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : undefined
  console.log(`listening at http://127.0.0.1:${port}`)
})
if (expiresIn > 0) setInterval(() => void tus.cleanUpExpiredUploads(), cleanUpEveryMs)

function fileStore({ directory }: { readonly directory: string }): FileStore {
  return new FileStore({ directory, expirationPeriodInMilliseconds: expiresIn })
}

function s3Store({ bucket, env }: Extract<StockOptions['store'], { bucket: string }>): S3Store {
  const { cacheDirectory, sdkChecksums } = options
  return new S3Store({
    partSize: 8 * 1024 * 1024,
    expirationPeriodInMilliseconds: expiresIn,
    ...(cacheDirectory && { cache: new FileKvStore(cacheDirectory) }),
    s3ClientConfig: {
      bucket,
      region: env.S3_REGION ?? '',
      endpoint: env.S3_ENDPOINT ?? '',
      forcePathStyle: true,
      ...(!sdkChecksums && { requestChecksumCalculation: 'WHEN_REQUIRED' }),
      credentials: {
        accessKeyId: env.AWS_ACCESS_KEY_ID ?? '',
        secretAccessKey: env.AWS_SECRET_ACCESS_KEY ?? '',
      },
    },
  })
}

function listeners() {
  const app = new Hono<{ Bindings: HttpBindings }>()
  app.all('/files/*', async ({ env }) => {
    await tus.handle(env.incoming, env.outgoing)
    return RESPONSE_ALREADY_SENT
  })
  return {
    listen: tus.handle.bind(tus),
    handleWeb: getRequestListener((request) => tus.handleWeb(request)),
    hono: getRequestListener(app.fetch),
  }
}

/** What is no image is done with, too. */
async function onUploadFinish(
  ...[, upload]: Parameters<NonNullable<ServerOptions['onUploadFinish']>>
) {
  console.log(`making ${upload.id}`)
  const made = await makeImage(upload.id).catch(() => '')
  await writeFile(join(madeDirectory, upload.id), made)
  return {}
}

async function makeImage(id: string): Promise<Buffer> {
  const bytes = await buffer(await datastore.read(id))
  return sharp(bytes).avif({ effort: 9 }).toBuffer()
}
