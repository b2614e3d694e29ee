import { once } from 'node:events'
import { createServer } from 'node:http'
import { newSeed, seededRandom } from './random.ts'
import { Exchange } from './s3-exchange.ts'
import { operationOf, type S3Operation } from './s3-operations.ts'

export type { S3Operation }

/**
 * What happens to a request.
 *
 * - a status with an S3 error code: the answer, without S3 having seen the request; also 200, as
 *   CompleteMultipartUpload may fail
 * - `delayMs`: the answer comes that much later
 * - `lateMs`: the connection breaks, and S3 carries the request out that much later all the same
 * - `bytesPerSecond`: both bodies pass no faster than this
 * - `drop-…`: the connection breaks before S3 saw the request, or after S3 carried it out
 * - `hang…`: nothing ever comes back, without S3 having seen the request, or after it carried it out
 * - `truncate-request`: the connection to S3 breaks in the middle of the body, and so does ours
 * - `truncate-answer`: the connection breaks in the middle of the answer: of its body, or of its
 *   headers when it has no body
 * - `corrupt-…`: a bit in the middle of the body is turned over on its way in, or on its way out
 *
 * A body without bytes can be neither cut nor corrupted; such a request is passed on as it is.
 */
export type Fault =
  | { readonly status: number; readonly code: string; readonly message?: string }
  | { readonly delayMs: number }
  | { readonly lateMs: number }
  | { readonly bytesPerSecond: number }
  | 'drop-before'
  | 'drop-after'
  | 'hang'
  | 'hang-after'
  | 'truncate-request'
  | 'truncate-answer'
  | 'corrupt-request'
  | 'corrupt-answer'

export interface FaultRule {
  readonly operation: S3Operation | 'any'
  readonly fault: Fault
  /** How many requests pass before. */
  readonly after?: number
  /** How many requests fail; without it, all. */
  readonly times?: number
  /** How likely each of them fails; 1 when left out. */
  readonly probability?: number
  /** Called once S3 carried the request out, or will never see it; before anything is answered. */
  readonly onInjected?: () => void
}

export interface FaultProxyOptions {
  /** For the rules with a probability. */
  readonly seed?: string | number
}

export interface FaultProxy {
  readonly endpoint: string
  readonly seed: string | number
  /** Adds a rule; it counts requests from now on. The first rule that applies to a request decides. */
  fail(rule: FaultRule): void
  /** Forgets all rules and counts. */
  clear(): void
  /** Forgets all rules, and keeps the counts. */
  heal(): void
  /** Breaks the connections on which nothing was ever to come back. */
  endHangs(): void
  /** Until S3 has carried out all requests that were to be late. */
  untilLanded(): Promise<void>
  /** How many requests of an operation came. */
  count(operation: S3Operation): number
  /** How many faults were injected into an operation, or into all. */
  injected(operation?: S3Operation): number
  /** How many faults were injected by kind, as `nameOf` calls them. */
  injectedByKind(): ReadonlyMap<string, number>
  close(): Promise<void>
}

/** A proxy in front of an S3 service that speaks its protocol, streams, and fails as it is told. */
export async function startFaultProxy(
  target: string,
  { seed = newSeed() }: FaultProxyOptions = {},
): Promise<FaultProxy> {
  const rules = new Rules(seed)
  const requests = new Map<string, number>()
  const injected = { byOperation: new Map<string, number>(), byKind: new Map<string, number>() }
  const hanging = new Set<() => void>()
  const landing = new Set<Promise<void>>()

  const server = createServer((incoming, outgoing) => {
    const operation = operationOf(incoming)
    if (operation) add(requests, operation)
    const rule = rules.decide(operation)
    const onInjected = () => {
      if (!rule) return
      add(injected.byOperation, operation ?? 'unknown')
      add(injected.byKind, nameOf(rule.fault))
      rule.onInjected?.()
    }
    const options = { target, fault: rule?.fault, injected: onInjected, hanging, landing }
    void new Exchange(incoming, outgoing, options).run()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The proxy has no port')

  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    seed,
    fail: (rule) => rules.add(rule),
    heal: () => rules.clear(),
    clear() {
      rules.clear()
      for (const counts of [requests, injected.byOperation, injected.byKind]) counts.clear()
    },
    endHangs() {
      for (const end of hanging) end()
    },
    async untilLanded() {
      while (landing.size > 0) await Promise.all(landing)
    },
    count: (operation) => requests.get(operation) ?? 0,
    injected(operation) {
      const { byOperation } = injected
      if (operation) return byOperation.get(operation) ?? 0
      return [...byOperation.values()].reduce((sum, count) => sum + count, 0)
    },
    injectedByKind: () => injected.byKind,
    async close() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

/** `503 SlowDown`, `delayed`, `late`, `slow`, or the fault's own name. */
export function nameOf(fault: Fault): string {
  if (typeof fault === 'string') return fault
  if ('status' in fault) return `${fault.status} ${fault.code}`
  if ('lateMs' in fault) return 'late'
  return 'delayMs' in fault ? 'delayed' : 'slow'
}

class Rules {
  #rules: { readonly rule: FaultRule; seen: number }[] = []
  readonly #random

  constructor(seed: string | number) {
    this.#random = seededRandom(seed)
  }

  add(rule: FaultRule): void {
    this.#rules.push({ rule, seen: 0 })
  }

  clear(): void {
    this.#rules = []
  }

  /** Counts a request in every rule it belongs to, and returns the one that applies to it. */
  decide(operation: S3Operation | undefined): FaultRule | undefined {
    const active = this.#rules.filter(
      ({ rule }) => rule.operation === 'any' || rule.operation === operation,
    )
    for (const entry of active) entry.seen += 1
    return active.find(({ rule, seen }) => {
      const { after = 0, times = Number.POSITIVE_INFINITY, probability = 1 } = rule
      if (seen <= after || seen > after + times) return false
      return probability >= 1 || this.#random.chance(probability)
    })?.rule
  }
}

function add(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}
