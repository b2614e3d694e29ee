import { setTimeout as delay } from 'node:timers/promises'

export interface HealthReport {
  readonly ready: boolean
  /** For each part that was asked: `ok`, or that it is not usable. */
  readonly checks: Readonly<Record<string, string>>
}

export interface Health {
  report(): Promise<HealthReport>
}

/** Throws when the part it asks is not usable. */
export type HealthCheck = () => Promise<unknown>

const limitMs = 3_000

/**
 * Asks all parts at once; one that does not answer within three seconds counts as not usable. What is
 * wrong with a part is for `onTrouble`: anybody may ask for the report.
 */
export function createHealth(
  parts: Readonly<Record<string, HealthCheck>>,
  onTrouble: (part: string, error: unknown) => void,
): Health {
  return {
    async report() {
      const entries = await Promise.all(
        Object.entries(parts).map(
          async ([name, check]) =>
            [name, await outcome(check, (error) => onTrouble(name, error))] as const,
        ),
      )
      return {
        ready: entries.every(([, text]) => text === 'ok'),
        checks: Object.fromEntries(entries),
      }
    },
  }
}

async function outcome(check: HealthCheck, onTrouble: (error: unknown) => void): Promise<string> {
  const timer = new AbortController()
  const overrun = delay(limitMs, 'no answer in time', { signal: timer.signal }).catch(() => 'ok')
  try {
    return await Promise.race([check().then(() => 'ok'), overrun])
  } catch (error) {
    onTrouble(error)
    return 'unavailable'
  } finally {
    timer.abort()
  }
}
