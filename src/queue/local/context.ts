import type { Database } from '../../database/database.ts'
import type { Instance } from '../../operations/instance.ts'
import type { QueueReport } from './reports.ts'

/** What all parts of one local queue share. */
export interface QueueContext {
  readonly database: Database
  readonly instance: Instance
  readonly leaseMs: number
  readonly pollMs: number
  readonly report: (report: QueueReport) => void
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** From 0 to below 1. */
  readonly random: () => number
}
