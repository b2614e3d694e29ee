import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from './logger.ts'

export interface ShutdownPhase {
  readonly name: string
  /** How long the phase may take before the next one begins without it. */
  readonly limitMs: number
  run(): Promise<void>
}

/**
 * Runs the phases in their order. One that fails or overruns its limit is logged and left behind,
 * so that stopping always ends. Returns whether all of them came to their end.
 */
export async function shutDown(phases: readonly ShutdownPhase[], logger: Logger): Promise<boolean> {
  let clean = true
  for (const phase of phases) {
    try {
      await within(phase.limitMs, phase.run())
    } catch (error) {
      clean = false
      logger.error({ err: error, phase: phase.name }, `stopping: "${phase.name}" did not end well`)
    }
  }
  return clean
}

async function within(limitMs: number, work: Promise<void>): Promise<void> {
  const timer = new AbortController()
  const overrun = delay(limitMs, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`took longer than ${limitMs / 1000} s`)
  })
  try {
    await Promise.race([work, overrun])
  } finally {
    overrun.catch(() => {})
    timer.abort()
  }
}
