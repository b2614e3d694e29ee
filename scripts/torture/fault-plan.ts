/** What goes wrong in S3 and in the network, and how often. */
import type { ConnectionFault } from '../../test/support/network-proxy.ts'
import type { Random } from '../../test/support/random.ts'
import {
  type Fault,
  type FaultRule,
  nameOf,
  type S3Operation,
} from '../../test/support/s3-faults.ts'

const KiB = 2 ** 10
const MiB = 2 ** 20

const slowDown: Fault = { status: 503, code: 'SlowDown' }
const internalError: Fault = { status: 500, code: 'InternalError' }
const errorInSuccess: Fault = { status: 200, code: 'InternalError' }

const rules: readonly FaultRule[] = [
  { operation: 'UploadPart', fault: { lateMs: 3_000 }, probability: 0.02 },
  ...(['UploadPart', 'PutObject'] as const).flatMap((operation): FaultRule[] => [
    { operation, fault: 'truncate-request', probability: 0.01 },
    { operation, fault: 'corrupt-request', probability: 0.01 },
    { operation, fault: { bytesPerSecond: 2 * MiB }, probability: 0.01 },
  ]),
  { operation: 'UploadPartCopy', fault: { lateMs: 3_000 }, probability: 0.03 },
  ...(['CompleteMultipartUpload', 'UploadPartCopy'] as const).map(
    (operation): FaultRule => ({ operation, fault: errorInSuccess, probability: 0.05 }),
  ),
  { operation: 'CompleteMultipartUpload', fault: 'drop-after', probability: 0.05 },
  { operation: 'any', fault: slowDown, probability: 0.02 },
  { operation: 'any', fault: internalError, probability: 0.015 },
  { operation: 'any', fault: 'drop-before', probability: 0.01 },
  { operation: 'any', fault: 'drop-after', probability: 0.01 },
  { operation: 'any', fault: 'truncate-answer', probability: 0.01 },
  { operation: 'any', fault: { delayMs: 700 }, probability: 0.01 },
  { operation: 'any', fault: 'hang', probability: 0.001 },
  { operation: 'any', fault: 'hang-after', probability: 0.001 },
]

/** The operations that change something, after which a crash is worth the most. */
export const changes: readonly S3Operation[] = [
  'CreateMultipartUpload',
  'UploadPart',
  'UploadPartCopy',
  'CompleteMultipartUpload',
  'PutObject',
  'DeleteObject',
  'AbortMultipartUpload',
]

/** The faults of an ordinary bad day in S3. */
export function badDay(without: ReadonlySet<string>): FaultRule[] {
  return rules.filter(({ fault }) => !without.has(nameOf(fault)))
}

/** One fault that S3 has nearly all the time, for a while. */
export function outage(random: Random): FaultRule {
  const fault = random.pick([slowDown, internalError, 'drop-before', 'drop-after'] as const)
  return { operation: 'any', fault, probability: 0.95 }
}

/** What happens to a connection of a client, drawn once for each. */
export function connectionFault(
  random: Random,
  without: ReadonlySet<string>,
): ConnectionFault | undefined {
  if (!random.chance(0.35)) return undefined
  const afterBytes = random.chance(0.3)
    ? random.integer(1, 4 * KiB)
    : random.integer(4 * KiB, 10 * MiB)
  const kind = random.pick(['cut', 'cut', 'cut', 'half-open', 'stall', 'slow'] as const)
  if (without.has(`network ${kind}`)) return undefined
  if (kind === 'stall') return { kind, afterBytes, ms: random.integer(200, 6_000) }
  if (kind === 'slow') {
    return { kind, afterBytes, bytesPerSecond: random.integer(500 * KiB, 8 * MiB) }
  }
  return { kind, afterBytes }
}
