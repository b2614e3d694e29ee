import type { ArrivingBody } from '../arriving-body.ts'
import type { MemoryShare } from '../memory/share.ts'
import type { Bucket } from './bucket.ts'
import type { PartBuffer } from './part-buffer.ts'
import type { Recorder } from './recorder.ts'
import type { Wake } from './wake.ts'

/** What the bytes of a body go to. One call at a time, but for `abort`. */
export interface Sink {
  write(chunk: Buffer): Promise<void>
  /** Frees the memory it holds. More may be written afterwards. */
  spill(): Promise<void>
  /** Stops everything that is under way. */
  abort(reason: unknown): void
  /** Until nothing is under way. */
  settle(): Promise<void>
  /** @throws what went wrong meanwhile, or the reason it was stopped for. */
  throwIfStopped(): void
}

/** What the sinks of one request work with, one after the other. */
export interface SinkMeans {
  readonly bucket: Bucket
  readonly share: MemoryShare
  readonly wake: Wake
  readonly recorder: Recorder
  readonly buffer: PartBuffer
}

export interface Receiving {
  readonly share: MemoryShare
  readonly wake: Wake
  readonly signal: AbortSignal
}

/** Works with a sink until that is done or the caller aborts; nothing of it is under way then. */
export async function workWith<T>(
  sink: Sink,
  { signal }: Receiving,
  work: () => Promise<T>,
): Promise<T> {
  signal.throwIfAborted()
  const abort = () => sink.abort(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await work()
  } catch (error) {
    // What went wrong meanwhile is why the rest was stopped.
    await sink.settle()
    signal.throwIfAborted()
    sink.throwIfStopped()
    throw error
  } finally {
    await sink.settle()
    signal.removeEventListener('abort', abort)
  }
}

/** Until the body ends. What arrives meanwhile waits while the sink does something else. */
export async function receive(
  arriving: ArrivingBody,
  sink: Sink,
  { share, wake }: Receiving,
): Promise<void> {
  share.onSpill = wake.call
  let arrived: { readonly chunk: Buffer | undefined } | undefined
  let isReading = false
  const arrive = (chunk: Buffer | undefined) => {
    arrived = { chunk }
    isReading = false
    wake.call()
  }
  while (true) {
    sink.throwIfStopped()
    if (share.spilling) {
      share.heard(0)
      await sink.spill()
    } else if (arrived) {
      const { chunk } = arrived
      arrived = undefined
      share.heard(chunk?.length ?? 0)
      if (!chunk) return
      await sink.write(chunk)
    } else {
      if (!isReading) {
        isReading = true
        void arriving.next().then(arrive)
      }
      share.listen()
      await wake.wait()
    }
  }
}
