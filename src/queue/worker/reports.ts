import type { JobKind } from '../kinds.ts'

interface AboutAttempt {
  readonly kind: JobKind
  readonly jobId: string
  /** 1 for the first attempt. */
  readonly attempt: number
}

/** What happened in the queue, for the log and the metrics. */
export type QueueReport =
  | (AboutAttempt & { readonly type: 'done'; readonly durationMs: number })
  | (AboutAttempt & { readonly type: 'retry'; readonly error: unknown; readonly delayMs: number })
  | (AboutAttempt & {
      readonly type: 'postponed'
      readonly error: unknown
      readonly delayMs: number
    })
  | (AboutAttempt & { readonly type: 'dead'; readonly error: unknown })
  /** Another process may run the job now; what this attempt still does no longer counts. */
  | (AboutAttempt & { readonly type: 'lease-lost' })
  /** Stopping gave the job back before it was finished. */
  | (AboutAttempt & { readonly type: 'refunded' })
  /** The holder of the job vanished or went silent; the job is queued again. */
  | (AboutAttempt & { readonly type: 'recovered'; readonly holder: string })
  /** The database did not do what was asked; the queue goes on. */
  | {
      readonly type: 'trouble'
      readonly doing: 'claim' | 'acknowledge' | 'heartbeat' | 'recover' | 'maintain' | 'revive'
      readonly error: unknown
    }
