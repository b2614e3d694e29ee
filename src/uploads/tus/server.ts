import type { IncomingMessage, ServerResponse } from 'node:http'
import { Server } from '@tus/server'
import { AppError } from '../../errors.ts'
import { isId, newId } from '../../ids.ts'
import type { Logger } from '../../operations/logger.ts'
import type { Writers } from '../writers.ts'
import { createLocker } from './locker.ts'
import { LedgerStore, type LedgerStoreDependencies } from './store.ts'

/** The time an overtaken request has to record what it received. */
const lockDrainMs = 1_000

export interface TusDependencies extends LedgerStoreDependencies {
  readonly writers: Writers
  readonly logger: Logger
}

export interface TusOptions {
  readonly path: string
  readonly maxSize: number
  /** What clients call this server; without it locations are relative. */
  readonly publicUrl: string | undefined
  /** Web origins that may call; undefined means any. */
  readonly corsOrigins: readonly string[] | undefined
}

/** Answers one tus request; everything under the upload path except GET. */
export type TusHandler = (request: IncomingMessage, response: ServerResponse) => Promise<void>

/** tus 1.0 (https://tus.io/protocols/resumable-upload) through @tus/server, over the ledger. */
export function createTusHandler(dependencies: TusDependencies, options: TusOptions): TusHandler {
  const { path, publicUrl, corsOrigins } = options
  const server = new Server({
    path,
    datastore: new LedgerStore(dependencies),
    locker: createLocker(dependencies.writers.settled),
    lockDrainTimeout: lockDrainMs,
    maxSize: options.maxSize,
    namingFunction: () => newId(),
    getFileIdFromRequest: (request) => idFromUrl(request.url),
    onIncomingRequest: async ({ headers }) => requirePlainNumbers(headers),
    ...(publicUrl
      ? { generateUrl: (_, { id }) => `${publicUrl}${path}/${id}` }
      : { relativeLocation: true }),
    allowedHeaders: ['X-Request-ID'],
    exposedHeaders: ['X-Request-ID'],
    ...(corsOrigins && { allowedOrigins: [...corsOrigins] }),
    onResponseError: (request, error) => describe(error, request, dependencies.logger),
  })
  return (request, response) => {
    request.method = methodOf(request)
    return server.handle(request, response)
  }
}

/** What is meant: some proxies let only GET and POST through. */
function methodOf({ method, headers }: IncomingMessage): string {
  const override = headers['x-http-method-override']
  return (typeof override === 'string' && override.toUpperCase()) || method || ''
}

/** @tus/server takes 1e+21 for a length and then reads 1. @throws AppError `bad-header` (400). */
function requirePlainNumbers(headers: Headers): void {
  for (const name of ['Upload-Length', 'Upload-Offset']) {
    if (/[^0-9]/.test(headers.get(name) ?? '')) {
      throw new AppError('bad-header', 400, `${name} has to be a whole number of bytes.`)
    }
  }
}

/** The last segment of the path, whatever query follows it. */
function idFromUrl(url: string): string | undefined {
  const id = new URL(url).pathname.replace(/\/$/, '').split('/').at(-1) ?? ''
  return isId(id) ? id : undefined
}

type TusError = { status_code: number; body: string }

/** What a client is told. Only errors made to be shown are; others are logged and kept. */
function describe(error: Error | TusError, request: Request, logger: Logger): TusError {
  if (error instanceof AppError) {
    if (error.status >= 500) logger.error({ err: error }, `${request.method} failed: ${error.code}`)
    return { status_code: error.status, body: `${error.message}\n` }
  }
  // What is not supported was asked for by the client; 5xx means that the server is in trouble.
  if ('status_code' in error)
    return error.status_code === 501 ? { ...error, status_code: 400 } : error
  logger.error({ err: error }, `${request.method} failed unexpectedly`)
  return {
    status_code: 500,
    body: 'Something went wrong here; the bytes acknowledged so far are safe.\n',
  }
}
