import type { ProvidedContext } from 'vitest'

/** A server that is started once for the whole test run and shared by all test files. */
export interface TestService {
  readonly name: string
  /** @throws when the service cannot be started; what it had begun is cleaned up by then. */
  start(): Promise<RunningService>
}

export interface RunningService {
  /** What tests read with vitest's `inject`. */
  readonly provides: Partial<ProvidedContext>
  stop(): Promise<void>
}
