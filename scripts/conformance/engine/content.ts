/** What a stored upload holds, read over HTTP. */
import type { Server } from './server.ts'
import type { Headers } from './wire.ts'

export interface Content {
  readonly bytes: Buffer
  readonly headers: Headers
}

/** Asks until the answer is accepted or patience ends; what was seen last is the answer. */
export async function readContent(
  server: Pick<Server, 'target' | 'headers' | 'contentTemplate' | 'patienceMs'>,
  upload: URL,
  accept: (bytes: Buffer | undefined) => boolean,
): Promise<Content | undefined> {
  const url = contentUrl(server, upload)
  const end = Date.now() + server.patienceMs
  for (;;) {
    const content = await get(url, server.headers, server.patienceMs)
    if (accept(content?.bytes) || Date.now() > end) return content
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

/** Undefined when there is nothing to be had. */
async function get(url: URL, headers: Headers, timeoutMs: number): Promise<Content | undefined> {
  try {
    const signal = AbortSignal.timeout(timeoutMs)
    const response = await fetch(url, { headers: { ...headers }, signal })
    const bytes = Buffer.from(await response.arrayBuffer())
    if (!response.ok) return undefined
    return { bytes, headers: Object.fromEntries(response.headers) }
  } catch {
    return undefined
  }
}
