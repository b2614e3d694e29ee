import { ArrivingBody } from '../arriving-body.ts'
import type { AppendOptions, RecordProgress, UploadPosition } from '../contract.ts'
import { ReadAhead } from './read-ahead.ts'
import { UploadFile } from './upload-file.ts'
import type { UploadPaths } from './upload-paths.ts'

export interface Appending {
  readonly paths: UploadPaths
  readonly position: UploadPosition
  readonly record: RecordProgress
  readonly signal: AbortSignal
}

/** `UploadStorage.append` for files. */
export async function append(
  appending: Appending,
  body: AsyncIterable<Buffer>,
  { verify, whileWaiting = () => {} }: AppendOptions = {},
): Promise<number> {
  const { position, signal } = appending
  const arriving = new ArrivingBody(body, (position.length ?? Infinity) - position.offset)
  const batches = new ReadAhead(arriving, () => void file.open().catch(() => {}))
  const onFailure = (error: unknown) => batches.interrupt(error)
  const onAbort = () => batches.interrupt(signal.reason)
  const holds = verify !== undefined
  const file = new UploadFile({ ...appending, whileWaiting, onFailure, holds })
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    signal.throwIfAborted()
    for (let batch = await batches.next(); batch; batch = await batches.next()) {
      await file.write(batch)
    }
    if (verify) {
      arriving.throwIfFailed()
      verify()
      file.letCount()
    }
    await file.finish()
  } finally {
    signal.removeEventListener('abort', onAbort)
    try {
      await batches.stop()
    } finally {
      await file.close()
    }
  }
  arriving.throwIfFailed()
  return file.recorded
}
