/** What tests do over and over with an upload, on any server. What fails here proves nothing. */
import { beginUpload, headUpload, patchUpload } from '../tus-requests.ts'
import { waitFor } from '../wait.ts'
import type { Target } from './targets.ts'

export const MiB = 2 ** 20
/** Storage counts as quiet when nothing came for as long as this. */
const quietMs = 300

export async function begin(target: Target, length: number): Promise<string> {
  const id = await beginUpload(target.url, length)
  if (id === '') throw new Error('the upload was not created')
  return id
}

/** Sends bytes that have to be taken. */
export async function send(
  target: Target,
  id: string,
  offset: number,
  bytes: Buffer,
): Promise<void> {
  const { status } = await patchUpload(target.url, id, offset, bytes)
  if (status !== 204) throw new Error(`the bytes from ${offset} on were answered ${status}`)
}

/** Sends bytes, whatever becomes of them. */
export async function trySend(
  target: Target,
  id: string,
  offset: number,
  bytes: Buffer,
): Promise<number | undefined> {
  const answer = await patchUpload(target.url, id, offset, bytes).catch(() => undefined)
  return answer?.status
}

export interface Standing {
  readonly status: number
  /** Where the server says that the upload stands; undefined when it does not say. */
  readonly offset: number | undefined
}

export async function ask(target: Target, id: string): Promise<Standing> {
  const { status, headers } = await headUpload(target.url, id)
  const offset = headers.get('Upload-Offset')
  return { status, offset: status === 200 && offset !== null ? Number(offset) : undefined }
}

/** Waits until requests under way have done with storage what they can. */
export async function untilQuiet({ s3 }: Target): Promise<void> {
  let seen = -1
  const isQuiet = () => {
    const before = seen
    seen = s3.requests.length
    return seen === before
  }
  await waitFor(isQuiet, { intervalMs: quietMs, what: 'storage to be quiet' })
}
