import { setTimeout as delay } from 'node:timers/promises'

export interface HealthReport<L> {
  readonly ready: boolean
  /** For each part that was asked: `ok`, or that it is not usable. */
  readonly checks: Readonly<Record<string, string>>
  /** What there is to do; undefined when it could not be told in time, which does not matter here. */
  readonly load: L | undefined
}

export interface Health<L> {
  report(): Promise<HealthReport<L>>
}

/** Throws when the part it asks is not usable. */
export type HealthCheck = () => Promise<unknown>

const usualLimitMs = 3_000

/**
 * Asks all parts, and for the load, at once; what does not answer within three seconds counts as not
 * usable. What is wrong with a part is for `onTrouble`: anybody may ask for the report. So all who do
 * while the load is being read share one reading, which may be long: it would take the connections
 * that the checks and everybody else need.
 */
export function createHealth<L>(
  parts: Readonly<Record<string, HealthCheck>>,
  readLoad: () => Promise<L>,
  onTrouble: (part: string, error: unknown) => void,
  limitMs = usualLimitMs,
): Health<L> {
  let reading: Promise<L> | undefined
  const readShared = () => {
    reading ??= readLoad().finally(() => {
      reading = undefined
    })
    return reading
  }
  return {
    async report() {
      let load: L | undefined
      const keepLoad = async () => {
        load = await readShared()
      }
      const [entries] = await Promise.all([
        Promise.all(
          Object.entries(parts).map(
            async ([name, check]) =>
              [name, await outcome(check, limitMs, (error) => onTrouble(name, error))] as const,
          ),
        ),
        outcome(keepLoad, limitMs, (error) => onTrouble('queue', error)),
      ])
      return {
        ready: entries.every(([, text]) => text === 'ok'),
        checks: Object.fromEntries(entries),
        load,
      }
    },
  }
}

async function outcome(
  check: HealthCheck,
  limitMs: number,
  onTrouble: (error: unknown) => void,
): Promise<string> {
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
