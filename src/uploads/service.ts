import type { Authenticator } from '../auth/principal.ts'
import type { Database } from '../database/database.ts'
import type { Logger } from '../operations/logger.ts'
import type { Storage } from '../storage/contract.ts'
import type { Finish } from './finish.ts'
import { createIetfDialect } from './ietf/dialect.ts'
import { serverLimits } from './ietf/limits.ts'
import type { Leases } from './leases.ts'
import type { Admission } from './limits/admission.ts'
import type { UploadRequests } from './protocol/context.ts'
import { createUploadHandler, type UploadHandler } from './protocol/handler.ts'
import { type LocationOptions, Locations } from './protocol/location.ts'
import type { Receive } from './receive.ts'
import type { RemoveUpload } from './remove.ts'
import { createAppend } from './requests/append.ts'
import { type BeginOptions, createBegin } from './requests/begin.ts'
import { createConcatenate } from './requests/concatenate.ts'
import { createLook } from './requests/look.ts'
import { createTakeBytes } from './requests/take-bytes.ts'
import { createTusDialect, tusCapabilities } from './tus/dialect.ts'

export interface UploadRequestDependencies {
  readonly database: Database
  readonly storage: Storage
  readonly leases: Leases
  readonly receive: Receive
  readonly finish: Finish
  readonly remove: RemoveUpload
  readonly admission: Admission
}

export interface UploadServiceDependencies {
  readonly database: Database
  readonly requests: UploadRequests
  /** Finds out who owns the uploads that are created, and who may do what to them. */
  readonly authenticator: Authenticator
  readonly logger: Logger
}

export interface UploadServiceOptions extends LocationOptions {
  readonly maxSize: number
  /** Web origins that may call; undefined means any. */
  readonly corsOrigins: readonly string[] | undefined
}

/** The protocols, all of which ask for the same few requests. */
export function createUploadService(
  { database, requests, authenticator, logger }: UploadServiceDependencies,
  options: UploadServiceOptions,
): UploadHandler {
  const { maxSize, corsOrigins } = options
  const dialect = {
    ...requests,
    queries: database.queries,
    locations: new Locations(options),
    maxSize,
  }
  const tus = createTusDialect(dialect)
  return createUploadHandler({
    logger,
    authenticator,
    dialects: [tus, createIetfDialect(dialect)],
    fallback: tus,
    capabilities: { ...tusCapabilities(maxSize), 'Upload-Limit': serverLimits(maxSize) },
    corsOrigins,
  })
}

/** What can be done with uploads, whoever asks for it in whichever way. */
export function createUploadRequests(
  dependencies: UploadRequestDependencies,
  { maxSize, expiresIn }: BeginOptions,
): UploadRequests {
  const work = { ...dependencies, takeBytes: createTakeBytes(dependencies) }
  return {
    begin: createBegin(work, { maxSize, expiresIn }),
    append: createAppend(work, maxSize),
    look: createLook(work),
    concatenate: createConcatenate(work, maxSize),
    remove: work.remove,
  }
}
