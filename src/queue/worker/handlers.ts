import type { Transaction } from '../../database/database.ts'
import type { Schema } from '../../database/schema.ts'
import { messageOf } from '../../errors.ts'
import { type Attempt, type JobHandler, PermanentJobError } from '../contract.ts'
import { type JobKind, type JobPayloads, parsePayload } from '../kinds.ts'

/** A handler of whatever kind, which takes its payload as it is stored. */
export interface StoredJobHandler {
  readonly kind: JobKind
  /** @throws PermanentJobError also when the payload cannot be read. */
  run(payload: string, attempt: Attempt): Promise<void>
  /** Does nothing for a payload that cannot be read. */
  onDead(trx: Transaction<Schema>, payload: string, reason: string): Promise<void>
  /** True for a payload that cannot be read: it will be found out by the next attempt. */
  onRevived(trx: Transaction<Schema>, payload: string): Promise<boolean>
}

export function storedJobHandler<K extends JobKind>(handler: JobHandler<K>): StoredJobHandler {
  const { kind } = handler
  return {
    kind,
    async run(payload, attempt) {
      await handler.run(readPayload(kind, payload), attempt)
    },
    async onDead(trx, payload, reason) {
      if (!handler.onDead || !isReadable(kind, payload)) return
      await handler.onDead(trx, parsePayload(kind, payload), reason)
    },
    async onRevived(trx, payload) {
      if (!handler.onRevived || !isReadable(kind, payload)) return true
      return handler.onRevived(trx, parsePayload(kind, payload))
    },
  }
}

function readPayload<K extends JobKind>(kind: K, payload: string): JobPayloads[K] {
  try {
    return parsePayload(kind, payload)
  } catch (error) {
    throw new PermanentJobError(`the payload cannot be read: ${messageOf(error)}`, { cause: error })
  }
}

function isReadable(kind: JobKind, payload: string): boolean {
  try {
    parsePayload(kind, payload)
    return true
  } catch {
    return false
  }
}
