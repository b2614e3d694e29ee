import { type Authenticator, openAuthenticator } from '../../src/auth/principal.ts'
import type { Database } from '../../src/database/database.ts'
import { createHttpServer, type UploadHandler, uploadPath } from '../../src/http/server.ts'
import type { Storage } from '../../src/storage/contract.ts'
import type { Limits } from '../../src/uploads/limits/settings.ts'
import { createUploadRequests, createUploadService } from '../../src/uploads/service.ts'
import { silent } from './leases.ts'
import { uploadCore } from './uploads.ts'

export interface TestServer extends AsyncDisposable {
  readonly url: string
  readonly port: number
}

/** The HTTP server on a free loopback port, with nothing but uploads behind it. */
export async function serveUploads(handle: UploadHandler['handle']): Promise<TestServer> {
  const app = { fetch: () => new Response('the API') }
  const turnAway = () => new Response(null, { status: 503 })
  const server = createHttpServer({ logger: silent, uploads: { handle, turnAway }, app })
  const url = await server.listen(0, '127.0.0.1')
  return {
    url,
    port: Number(new URL(url).port),
    async [Symbol.asyncDispose]() {
      server.stopAccepting()
      await server.close()
    },
  }
}

interface ServeOptions {
  readonly authenticator?: Authenticator
  readonly limits?: Partial<Limits>
}

/** A server that speaks tus, over a database and a storage of the test's own. */
export async function serveTus(
  database: Database,
  storage: Storage,
  { authenticator = openAuthenticator(), limits = {} }: ServeOptions = {},
) {
  const { queue: _, listener: _listener, ...core } = uploadCore({ database, storage, limits })
  const options = { maxSize: 2 ** 40, expiresIn: 86_400_000 }
  const requests = createUploadRequests({ ...core, database, storage }, options)
  const service = createUploadService(
    { database, requests, authenticator, logger: silent },
    {
      path: uploadPath,
      maxSize: options.maxSize,
      publicUrl: undefined,
      trustProxy: false,
      corsOrigins: undefined,
    },
  )
  const server = await serveUploads(service.handle)
  return { ...core, server }
}
