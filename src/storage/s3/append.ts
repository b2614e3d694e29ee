import { ArrivingBody } from '../arriving-body.ts'
import type { RecordProgress, UploadPosition } from '../contract.ts'
import type { MemoryBudget } from '../memory/budget.ts'
import type { MemoryShare } from '../memory/share.ts'
import type { Bucket } from './bucket.ts'
import { UploadWriter } from './upload-writer.ts'
import { Wake } from './wake.ts'

/** `UploadStorage.append` for a bucket. Whichever way it ends, it holds no memory afterwards. */
export async function append(
  { bucket, memory }: { bucket: Bucket; memory: MemoryBudget },
  position: UploadPosition,
  body: AsyncIterable<Buffer>,
  record: RecordProgress,
  signal: AbortSignal,
): Promise<number> {
  signal.throwIfAborted()
  const arriving = new ArrivingBody(body, (position.length ?? Infinity) - position.offset)
  const wake = new Wake()
  const share = memory.open()
  const writer = new UploadWriter({ bucket, share, wake }, position, record, signal)
  const abort = () => writer.abort(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  share.onSpill = wake.call
  try {
    await receive(arriving, writer, share, wake)
    const offset = await writer.finish()
    arriving.throwIfFailed()
    return offset
  } catch (error) {
    // What a part failed with is why the rest was stopped.
    await writer.settle()
    signal.throwIfAborted()
    writer.throwIfStopped()
    throw error
  } finally {
    await writer.settle()
    signal.removeEventListener('abort', abort)
    share.close()
    await arriving.return()
  }
}

/** Until the body ends. What arrives meanwhile waits while the writer does something else. */
async function receive(
  arriving: ArrivingBody,
  writer: UploadWriter,
  share: MemoryShare,
  wake: Wake,
): Promise<void> {
  let arrived: { readonly chunk: Buffer | undefined } | undefined
  let isReading = false
  const arrive = (chunk: Buffer | undefined) => {
    arrived = { chunk }
    isReading = false
    wake.call()
  }
  while (true) {
    writer.throwIfStopped()
    if (share.spilling) {
      share.heard(0)
      await writer.spill()
    } else if (arrived) {
      const { chunk } = arrived
      arrived = undefined
      share.heard(chunk?.length ?? 0)
      if (!chunk) return
      await writer.write(chunk)
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
