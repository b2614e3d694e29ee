import { ArrivingBody } from '../arriving-body.ts'
import type { AppendOptions, RecordProgress, UploadPosition } from '../contract.ts'
import type { MemoryBudget } from '../memory/budget.ts'
import type { Bucket } from './bucket.ts'
import { PartBuffer } from './part-buffer.ts'
import { type Receiving, receive, type SinkMeans, workWith } from './receive.ts'
import { Recorder } from './recorder.ts'
import { StagedBody } from './staged-body.ts'
import { removeLeftovers } from './staged-pieces.ts'
import { UploadWriter } from './upload-writer.ts'
import { Wake } from './wake.ts'

interface Appending extends Receiving, SinkMeans {
  readonly position: UploadPosition
}

/** `UploadStorage.append` for a bucket. Whichever way it ends, it holds no memory afterwards. */
export async function append(
  { bucket, memory }: { bucket: Bucket; memory: MemoryBudget },
  position: UploadPosition,
  body: AsyncIterable<Buffer>,
  record: RecordProgress,
  signal: AbortSignal,
  { verify }: AppendOptions = {},
): Promise<number> {
  signal.throwIfAborted()
  const arriving = new ArrivingBody(body, (position.length ?? Infinity) - position.offset)
  const recorder = new Recorder(position, record, signal)
  const share = memory.open()
  const buffer = new PartBuffer(share)
  const appending = { bucket, recorder, share, buffer, wake: new Wake(), signal, position }
  try {
    if (position.staged) await forgetLeftovers(appending)
    if (verify) return await appendVerified(appending, arriving, verify)
    return await appendAll(appending, arriving)
  } finally {
    share.close()
    await arriving.return()
  }
}

/** What cannot be removed now stays named in the ledger. */
async function forgetLeftovers({ bucket, position, recorder }: Appending): Promise<void> {
  const removed = await removeLeftovers(bucket, position).then(
    () => true,
    () => false,
  )
  if (removed) recorder.staged = undefined
}

async function appendAll(appending: Appending, arriving: ArrivingBody): Promise<number> {
  const writer = new UploadWriter(appending, appending.position)
  return workWith(writer, appending, async () => {
    await receive(arriving, writer, appending)
    const offset = await writer.finish()
    arriving.throwIfFailed()
    return offset
  })
}

/**
 * What arrives stays in memory if one part holds it, and is put aside otherwise. Once it is
 * verified it is stored as anything else; what was put aside comes as the body of a second request
 * would.
 */
async function appendVerified(
  appending: Appending,
  arriving: ArrivingBody,
  verify: () => void,
): Promise<number> {
  const staged = new StagedBody(appending, appending.position)
  const writer = new UploadWriter(appending, appending.position)
  try {
    await workWith(staged, appending, async () => {
      await receive(arriving, staged, appending)
      arriving.throwIfFailed()
      verify()
      if (!staged.isInMemory || !writer.mayAdopt) await staged.finish()
    })
    if (staged.isInMemory) return await adoptAll(appending, writer)
    return await appendAll(appending, new ArrivingBody(staged.read(appending.signal), Infinity))
  } finally {
    await staged.remove()
  }
}

/** Stores what is in the buffer. */
async function adoptAll(appending: Appending, writer: UploadWriter): Promise<number> {
  if (appending.buffer.size === 0) return appending.position.offset
  return workWith(writer, appending, async () => {
    await writer.adopt()
    return writer.finish()
  })
}
