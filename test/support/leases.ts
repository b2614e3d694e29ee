import { setTimeout as delay } from 'node:timers/promises'
import { type Logger, pino } from 'pino'
import type { Database } from '../../src/database/database.ts'
import { newId } from '../../src/ids.ts'
import type { Lease } from '../../src/uploads/held-lease.ts'
import { claimLease, releaseLease } from '../../src/uploads/lease-records.ts'
import { Leases, type LeasesOptions, type LeaseTimes } from '../../src/uploads/leases.ts'
import type { LeaseRecord } from '../../src/uploads/upload.ts'

export const silent: Logger = pino({ level: 'silent' })
export const never = new AbortController().signal

/** Takes the lease of an upload that is free, and keeps it for a minute. */
export async function leaseOf(
  { queries }: Database,
  id: string,
  { holder = 'somebody', lastsMs = 60_000 } = {},
): Promise<Lease> {
  const token = newId()
  const upload = await claimLease(queries, id, { holder, token, until: Date.now() + lastsMs })
  if (!upload) throw new Error(`the lease of ${id} is not free`)
  return { id, token, letGo: never, lost: never, markEnded: () => {} }
}

/** Takes a lease from whoever has it, as is done with one whose process is gone. */
export async function takeFrom(
  { queries }: Database,
  { id, token }: Pick<Lease, 'id' | 'token'>,
  lease: LeaseRecord,
): Promise<void> {
  await releaseLease(queries, { id, token })
  await claimLease(queries, id, lease)
}

/** Short enough for tests, long enough for a machine that is busy. */
export const shortTimes: LeaseTimes = { lease: 2_000, renew: 300, poll: 20, patience: 5_000 }

type Given = Partial<Omit<LeasesOptions, 'times'>> & { readonly times?: Partial<LeaseTimes> }

/** The leases of one process, as far as a test is concerned. Start and stop them yourself. */
export function leasesOf(database: Database, { times, ...given }: Given = {}): Leases {
  return new Leases({
    database,
    logger: silent,
    holder: 'here',
    isGone: () => false,
    ...given,
    times: { ...shortTimes, ...times },
  })
}

/** Holds a lease as a request does: until it is asked to let go, and then until `finish`. */
export function writer(
  leases: Leases,
  id: string,
  {
    signal = never,
    work = async (lease: Lease): Promise<void> => void (await aborted(lease.letGo)),
  } = {},
) {
  const began = Promise.withResolvers<Lease>()
  const finish = Promise.withResolvers<void>()
  const over = leases.hold(id, signal, async (_, lease) => {
    if (!lease) throw new Error('no lease')
    began.resolve(lease)
    await work(lease)
    await finish.promise
  })
  over.catch(began.reject)
  began.promise.catch(() => {})
  return { began: began.promise, finish: finish.resolve, over }
}

/** Passes once a signal is aborted; with the reason. */
export async function aborted(signal: AbortSignal, timeoutMs = 20_000): Promise<unknown> {
  if (signal.aborted) return signal.reason
  const { promise, resolve } = Promise.withResolvers<void>()
  signal.addEventListener('abort', () => resolve(), { once: true })
  const timer = new AbortController()
  const late = delay(timeoutMs, undefined, { signal: timer.signal }).then(() => {
    throw new Error('the signal was not aborted')
  })
  try {
    await Promise.race([promise, late])
  } finally {
    late.catch(() => {})
    timer.abort()
  }
  return signal.reason
}

/** Whether a statement renews leases: it locks them first. */
export function isRenewal(sql: string): boolean {
  return sql.startsWith('with "held"')
}
