/** What a stored upload holds, read over HTTP. */
import type { Server } from './server.ts'
import type { Headers } from './wire.ts'

export interface Content {
  readonly bytes: Buffer
  readonly headers: Headers
}

/** Undefined: the server answers that there is nothing. An error: it does not answer. */
export type Seen = Content | Error | undefined

/** None of an answer that did not come. */
export function bytesOf(seen: Seen): Buffer | undefined {
  return seen instanceof Error ? undefined : seen?.bytes
}

export function headersOf(seen: Seen): Headers {
  return seen === undefined || seen instanceof Error ? {} : seen.headers
}

/** Asks until the answer is accepted or it should have settled; what was seen last is the answer. */
export async function readContent(
  server: Pick<Server, 'target' | 'headers' | 'contentTemplate' | 'patienceMs' | 'settleMs'>,
  upload: URL,
  accept: (seen: Seen) => boolean,
): Promise<Seen> {
  const url = contentUrl(server, upload)
  const end = Date.now() + server.settleMs
  for (;;) {
    const content = await get(url, server.headers, server.patienceMs)
    if (accept(content) || Date.now() > end) return content
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

function contentUrl(
  { target, contentTemplate }: Pick<Server, 'target' | 'contentTemplate'>,
  upload: URL,
) {
  if (contentTemplate === undefined) return upload
  const id = upload.pathname.split('/').at(-1) ?? ''
  return new URL(contentTemplate.replace('{id}', id), target)
}

async function get(url: URL, headers: Headers, timeoutMs: number): Promise<Seen> {
  try {
    const signal = AbortSignal.timeout(timeoutMs)
    const response = await fetch(url, { headers: { ...headers }, signal })
    const bytes = Buffer.from(await response.arrayBuffer())
    if (!response.ok) return undefined
    return { bytes, headers: Object.fromEntries(response.headers) }
  } catch (error) {
    return new Error('no answer', { cause: error })
  }
}
