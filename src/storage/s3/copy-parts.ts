import type { RecordProgress, UploadSource } from '../contract.ts'
import { storageUnavailable, uploadLost } from '../errors.ts'
import { originalKey } from '../keys.ts'
import type { StoredBlock } from '../memory/share.ts'
import type { SourceBytes } from '../source-bytes.ts'
import type { Bucket } from './bucket.ts'
import { type Joined, nextCopy } from './concatenation-plan.ts'
import { startMultipart } from './multipart.ts'
import { mostInFlight } from './part-plan.ts'
import { type FlightPlan, PartsInFlight } from './parts-in-flight.ts'
import { Recorder } from './recorder.ts'
import { Wake } from './wake.ts'

/** Takes no memory of ours. */
type CopiedPart = SourceBytes & StoredBlock

class CannotCopy extends Error {}

/**
 * Has storage copy the parts that follow as long as it can, a few at a time, and records them in
 * their order.
 * @returns false when the service does not know how to copy, and nothing was copied.
 */
export async function copyParts(
  bucket: Bucket,
  joined: Joined,
  record: RecordProgress,
  signal: AbortSignal,
): Promise<boolean> {
  const recorder = new Recorder(joined.position, record, signal)
  const wake = new Wake()
  const flights = new PartsInFlight<CopiedPart>({
    store: await copierTo(bucket, joined, recorder, signal),
    record: (parts, size) => recorder.advance({ parts, offset: recorder.offset + size }),
    onChange: wake.call,
  })
  const settle = async () => {
    while (!flights.isQuiet) await wake.wait()
  }
  const abort = () => flights.abort(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  try {
    signal.throwIfAborted()
    await startAll(joined, flights, wake)
    return true
  } catch (error) {
    await settle()
    signal.throwIfAborted()
    if (!(error instanceof CannotCopy)) throw error
    if (recorder.partCount > joined.position.partCount) throw storageUnavailable(error)
    return false
  } finally {
    await settle()
    signal.removeEventListener('abort', abort)
  }
}

async function startAll(
  joined: Joined,
  flights: PartsInFlight<CopiedPart>,
  wake: Wake,
): Promise<void> {
  const { partCount, offset } = joined.position
  const until = async (count: number) => {
    flights.throwIfFailed()
    while (flights.count > count) {
      await wake.wait()
      flights.throwIfFailed()
    }
  }
  let done = { parts: partCount, bytes: offset }
  for (let next = nextCopy(joined, done); next; next = nextCopy(joined, done)) {
    await until(mostInFlight - 1)
    done = { parts: done.parts + 1, bytes: done.bytes + next.end - next.start }
    flights.start(done.parts, { ...next, release: () => {} })
  }
  await until(0)
}

/** Makes the multipart upload if there is none, and what copies into it. */
async function copierTo(
  bucket: Bucket,
  { position }: Joined,
  recorder: Recorder,
  signal: AbortSignal,
): Promise<FlightPlan<CopiedPart>['store']> {
  const key = originalKey(position.id)
  const multipartId =
    recorder.multipartId || (await startMultipart(bucket, key, recorder, undefined, signal))
  const checked = new Map<string, Promise<void>>()
  return async (number, { source, start, end }, stop) => {
    const check = checked.get(source.id) ?? checkSource(bucket, source, signal)
    checked.set(source.id, check)
    await check
    const bytes = { key: originalKey(source.id), start, end }
    const part = await bucket.copyPart({ key, multipartId }, number, bytes, stop)
    if (!part) throw new CannotCopy('The service cannot copy')
    return part
  }
}

/** Of an object that is too short some services copy what there is. */
async function checkSource(
  bucket: Bucket,
  { id, size }: UploadSource,
  signal: AbortSignal,
): Promise<void> {
  const object = await bucket.head(originalKey(id), signal)
  if (object?.size === size) return
  await bucket.verify()
  throw uploadLost(new Error(`${id} has ${object?.size} bytes, not ${size}`))
}
