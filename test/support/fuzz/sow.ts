/** What a run does besides its odd requests, so that these find something there. */
import { z } from 'zod'
import { tusHeaders } from '../tus-requests.ts'
import type { FuzzRequest } from './requests.ts'
import type { FuzzAnswer } from './send.ts'
import type { Pool } from './slots.ts'

/** Uploads a file; what is deleted by others is made up for. */
export async function sowUpload(
  url: string,
  token: string,
  bytes: Buffer,
  pool: Pool,
): Promise<void> {
  const authorization = { Authorization: `Bearer ${token}` }
  const created = await fetch(`${url}/files`, {
    method: 'POST',
    headers: {
      ...authorization,
      ...tusHeaders,
      'Content-Type': 'application/offset+octet-stream',
      'Upload-Length': String(bytes.length),
    },
    body: new Uint8Array(bytes),
  })
  const id = created.headers.get('Location')?.split('/').at(-1)
  if (created.status !== 201 || !id) throw new Error(`an upload was answered ${created.status}`)
  pool.add('upload', id)
  pool.add('image', id)
  const image = await fetch(`${url}/v1/images/${id}`, { headers: authorization })
  pool.harvest(await image.json())
}

const linkSchema = z.object({
  url: z.url(),
  method: z.literal('PUT'),
  headers: z.record(z.string(), z.string()),
})
const wishSchema = z.object({ size: z.number() })

/** Sends a file by an upload link that leads to another server than ours, as its client would. */
export async function useLink(
  url: string,
  { body }: FuzzRequest,
  answer: FuzzAnswer,
  contents: readonly Buffer[],
): Promise<void> {
  const link = linkSchema.safeParse(jsonOf(answer.body)).data
  if (!link || new URL(link.url).origin === new URL(url).origin) return
  const size = wishSchema.safeParse(jsonOf(body)).data?.size
  const bytes = contents.find(({ length }) => length === size)
  if (!bytes) return
  const { method, headers } = link
  const response = await fetch(link.url, { method, headers, body: new Uint8Array(bytes) })
  await response.body?.cancel()
}

/** Undefined for what is none. */
export function jsonOf(bytes: Buffer | undefined): unknown {
  try {
    return JSON.parse(bytes?.toString() ?? '')
  } catch {
    return undefined
  }
}
