import type { Principal } from '../../auth/principal.ts'
import type { Database } from '../../database/database.ts'
import { isId } from '../../ids.ts'
import type { Logger } from '../../operations/logger.ts'
import type { Storage } from '../../storage/contract.ts'
import { uploadNotFound } from '../errors.ts'
import type { Finish } from '../finish.ts'
import type { Leases } from '../leases.ts'
import type { Receive } from '../receive.ts'
import type { RemoveUpload } from '../remove.ts'
import type { TusRequest } from './request.ts'

export interface TusDependencies {
  readonly database: Database
  readonly storage: Storage
  readonly leases: Leases
  readonly receive: Receive
  readonly finish: Finish
  readonly remove: RemoveUpload
  /** Owns the uploads that are created. */
  readonly owner: Principal
  readonly logger: Logger
}

export interface TusOptions {
  readonly path: string
  readonly maxSize: number
  /** Milliseconds an unfinished upload is kept for after its last progress. */
  readonly expiresIn: number
  /** What clients call this server; without it locations are relative. */
  readonly publicUrl: string | undefined
  /** Web origins that may call; undefined means any. */
  readonly corsOrigins: readonly string[] | undefined
}

/** What a method answers; the headers that every answer has are added. */
export interface TusAnswer {
  readonly status: number
  readonly headers?: Record<string, string>
}

/** Answers one method. What it throws is answered as an error. */
export type TusMethod = (request: TusRequest) => Promise<TusAnswer>

/** @throws AppError `upload-not-found` (404) for what is no id. */
export function idOf(request: TusRequest): string {
  const id = request.lastSegment
  if (!isId(id)) throw uploadNotFound()
  return id
}

/** Until when an upload can be continued (RFC 9110 date), for an answer about an unfinished one. */
export function expires(at: number | undefined): Record<string, string> {
  return at === undefined ? {} : { 'Upload-Expires': new Date(at).toUTCString() }
}
