/** Uploads in one request, as clients without a protocol for it make them. */
import type { ImageView } from './api.ts'

export interface OneRequestAnswer {
  readonly status: number
  readonly headers: Headers
  readonly image: ImageView
  /** Of a problem. */
  readonly code: string | undefined
}

interface Options {
  readonly query?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** Sends a file as a page does, in a form. */
export async function sendForm(
  server: string,
  bytes: Buffer,
  { query = '', headers = {} }: Options = {},
  name = 'photo.jpg',
  type = 'image/jpeg',
): Promise<OneRequestAnswer> {
  const form = new FormData()
  form.append('title', 'something else')
  form.append('file', new Blob([new Uint8Array(bytes)], { type }), name)
  const init = { method: 'POST', body: form, headers }
  return answerOf(await fetch(`${server}/v1/images${query}`, init))
}

/** Sends a file as the body itself. */
export async function sendBody(
  server: string,
  body: Buffer | ReadableStream,
  { query = '', headers = {} }: Options = {},
): Promise<OneRequestAnswer> {
  const init =
    body instanceof ReadableStream
      ? { body, duplex: 'half' as const }
      : { body: new Uint8Array(body) }
  const request = { method: 'POST', headers, ...init }
  return answerOf(await fetch(`${server}/v1/images${query}`, request))
}

async function answerOf(response: Response): Promise<OneRequestAnswer> {
  const { status, headers } = response
  const image = (await response.json()) as ImageView & { readonly code?: string }
  return { status, headers, image, code: image.code }
}

const boundary = 'a-boundary'

/** The head and the body of a form, byte for byte. */
export function writtenForm(bytes: Buffer, before = '', after = '') {
  const field = (head: string) =>
    `--${boundary}\r\nContent-Disposition: form-data; ${head}\r\nContent-Type: image/jpeg\r\n\r\n`
  const file = Buffer.from(`${before}${field('name="file"; filename="photo.jpg"')}`)
  const end = Buffer.from(`\r\n${after}--${boundary}--\r\n`)
  return {
    type: `multipart/form-data; boundary=${boundary}`,
    body: Buffer.concat([file, bytes, end]),
    /** Where the bytes begin. */
    start: file.length,
  }
}
