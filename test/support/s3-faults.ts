import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'

export type S3Operation =
  | 'CreateMultipartUpload'
  | 'UploadPart'
  | 'CompleteMultipartUpload'
  | 'AbortMultipartUpload'
  | 'ListMultipartUploads'
  | 'ListParts'
  | 'PutObject'
  | 'GetObject'
  | 'HeadObject'
  | 'HeadBucket'
  | 'DeleteObject'

/**
 * What happens to a request: it is answered with a status and an S3 error code (also 200, as
 * CompleteMultipartUpload may), its connection is dropped before or after S3 saw it, or nothing
 * ever comes back.
 */
export type Fault =
  | { status: number; code: string; message?: string }
  | 'drop-before'
  | 'drop-after'
  | 'hang'

export interface FaultRule {
  readonly operation: S3Operation
  readonly fault: Fault
  /** How many requests pass before. */
  readonly after?: number
  /** How many requests fail; without it, all. */
  readonly times?: number
}

export interface FaultProxy {
  readonly endpoint: string
  /** Adds a rule; it counts requests from now on. */
  fail(rule: FaultRule): void
  /** Forgets all rules and counts. */
  clear(): void
  /** How many requests of an operation came. */
  count(operation: S3Operation): number
  close(): Promise<void>
}

/** A proxy in front of an S3 service that speaks its protocol and fails as it is told. */
export async function startFaultProxy(target: string): Promise<FaultProxy> {
  let rules: { rule: FaultRule; seen: number }[] = []
  const counts = new Map<S3Operation, number>()

  const faultFor = (operation: S3Operation | undefined): Fault | undefined => {
    const active = rules.filter(({ rule }) => rule.operation === operation)
    for (const entry of active) entry.seen += 1
    return active.find(({ rule: { after = 0, times = Infinity }, seen }) => {
      return seen > after && seen <= after + times
    })?.rule.fault
  }
  const server = createServer((incoming, outgoing) => {
    const operation = operationOf(incoming)
    if (operation) counts.set(operation, (counts.get(operation) ?? 0) + 1)
    forward(target, incoming, outgoing, faultFor(operation)).catch(() => outgoing.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The proxy has no port')
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    fail: (rule) => rules.push({ rule, seen: 0 }),
    clear() {
      rules = []
      counts.clear()
    },
    count: (operation) => counts.get(operation) ?? 0,
    async close() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

function operationOf(incoming: IncomingMessage): S3Operation | undefined {
  const { pathname, searchParams } = new URL(incoming.url ?? '/', 'http://s3')
  const isObject = /^\/[^/]+\/./.test(pathname)
  const multipart = searchParams.has('uploadId')
  switch (incoming.method) {
    case 'POST':
      if (searchParams.has('uploads')) return 'CreateMultipartUpload'
      return multipart ? 'CompleteMultipartUpload' : undefined
    case 'PUT':
      if (multipart) return 'UploadPart'
      return isObject ? 'PutObject' : undefined
    case 'DELETE':
      return multipart ? 'AbortMultipartUpload' : 'DeleteObject'
    case 'HEAD':
      return isObject ? 'HeadObject' : 'HeadBucket'
    case 'GET':
      if (searchParams.has('uploads')) return 'ListMultipartUploads'
      if (multipart) return 'ListParts'
      return isObject ? 'GetObject' : undefined
    default:
      return undefined
  }
}

async function forward(
  target: string,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  fault: Fault | undefined,
): Promise<void> {
  if (fault === 'hang') {
    incoming.resume()
    return
  }
  const body = await buffer(incoming)
  if (fault === 'drop-before') {
    outgoing.destroy()
    return
  }
  if (typeof fault === 'object') {
    outgoing.writeHead(fault.status, { 'content-type': 'application/xml' })
    const { code, message = '' } = fault
    outgoing.end(
      `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`,
    )
    return
  }
  const answer = await send(target, incoming, body)
  if (fault === 'drop-after') {
    await buffer(answer)
    outgoing.destroy()
    return
  }
  outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
  answer.pipe(outgoing)
}

/** Headers go on as they came, since the signature covers the host. */
async function send(
  target: string,
  { method, url, headers }: IncomingMessage,
  body: Buffer,
): Promise<IncomingMessage> {
  const onward = request(`${target}${url}`, { method, headers, agent: false })
  const answered = once(onward, 'response')
  onward.end(body)
  const [answer]: IncomingMessage[] = await answered
  if (!answer) throw new Error('no answer')
  return answer
}
