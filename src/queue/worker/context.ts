import type { Instance } from '../../operations/instance.ts'
import type { QueueReport } from './reports.ts'
import type { WorkStore } from './store.ts'

/** What all parts of one queue share. */
export interface QueueContext {
  readonly store: WorkStore
  readonly instance: Instance
  readonly leaseMs: number
  readonly pollMs: number
  readonly report: (report: QueueReport) => void
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** From 0 to below 1. */
  readonly random: () => number
}
