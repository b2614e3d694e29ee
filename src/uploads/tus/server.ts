import type { IncomingMessage, ServerResponse } from 'node:http'
import { DataStore, Server } from '@tus/server'
import { AppError } from '../../errors.ts'
import type { TusDependencies, TusMethod, TusOptions } from './context.ts'
import { createMethod } from './create.ts'
import { errorHeaders, tusError } from './errors.ts'
import { headMethod } from './head.ts'
import { patchMethod } from './patch.ts'
import { TusRequest } from './request.ts'
import { terminateMethod } from './terminate.ts'

/** Answers one tus request; everything under the upload path except GET. */
export type TusHandler = (incoming: IncomingMessage, outgoing: ServerResponse) => Promise<Response>

/** What @tus/server is to advertise. Nothing is stored through it. */
class Extensions extends DataStore {
  override extensions = [
    'creation',
    'creation-with-upload',
    'creation-defer-length',
    'termination',
    'expiration',
  ]
}

/**
 * tus 1.0 (https://tus.io/protocols/resumable-upload). @tus/server is the front: versions, the form
 * of headers, CORS, OPTIONS. Its methods are replaced by ours, which work on the ledger and read the
 * bytes from the socket; its own go through three streams and hold a lock that can be lost.
 */
export function createTusHandler(dependencies: TusDependencies, options: TusOptions): TusHandler {
  const { corsOrigins } = options
  const server = new Server({
    path: options.path,
    datastore: new Extensions(),
    maxSize: options.maxSize,
    allowedHeaders: ['X-Request-ID'],
    exposedHeaders: ['X-Request-ID, Upload-Expires, Retry-After'],
    ...(corsOrigins && { allowedOrigins: [...corsOrigins] }),
  })
  const methods: Record<string, TusMethod> = {
    POST: createMethod(dependencies, options),
    PATCH: patchMethod(dependencies, options),
    HEAD: headMethod(dependencies),
    DELETE: terminateMethod(dependencies),
  }
  for (const [name, method] of Object.entries(methods)) {
    Object.assign(server.handlers[name as 'POST' | 'PATCH' | 'HEAD' | 'DELETE'], {
      send: (request: TusRequest, _: unknown, headers: Headers) =>
        answer(method, request, headers, dependencies),
    })
  }
  return async (incoming, outgoing) => {
    try {
      const request: unknown = new TusRequest(incoming, outgoing)
      return await server.handleWeb(request as Request)
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      return errorAnswer(error, new Headers({ 'Tus-Resumable': '1.0.0' }))
    }
  }
}

async function answer(
  method: TusMethod,
  request: TusRequest,
  headers: Headers,
  { logger }: TusDependencies,
): Promise<Response> {
  try {
    const { status, headers: own = {} } = await method(request)
    for (const [name, value] of Object.entries(own)) headers.set(name, value)
    return new Response(null, { status, headers })
  } catch (error) {
    const known = tusError(error, request, logger)
    return errorAnswer(known, headers, request.method === 'HEAD')
  }
}

function errorAnswer(error: AppError, headers: Headers, withoutBody = false): Response {
  for (const [name, value] of Object.entries(errorHeaders(error))) headers.set(name, value)
  headers.set('Content-Type', 'text/plain; charset=utf-8')
  return new Response(withoutBody ? null : `${error.message}\n`, { status: error.status, headers })
}
