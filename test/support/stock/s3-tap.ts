import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { operationOf, type S3Operation } from '../s3-operations.ts'

/** A request to S3 that is over. */
export interface S3Request {
  readonly operation: S3Operation | undefined
  /** Without the bucket. */
  readonly key: string
  readonly uploadId: string | undefined
  readonly partNumber: number | undefined
  /** Bytes of what was to be stored, without any framing. */
  readonly size: number
  /** Undefined when S3 did not answer, or not to the end. */
  readonly status: number | undefined
  readonly headers: IncomingMessage['headers']
}

export interface S3Tap {
  readonly endpoint: string
  /** In the order of their ends. */
  readonly requests: readonly S3Request[]
  close(): Promise<void>
}

/** Passes requests on to an S3 service as they are, and writes down what came of them. */
export async function startS3Tap(target: string): Promise<S3Tap> {
  const requests: S3Request[] = []
  const server = createServer((incoming, outgoing) => {
    passOn(target, incoming, outgoing).then(
      (status) => requests.push(describe(incoming, status)),
      () => {
        requests.push(describe(incoming, undefined))
        outgoing.destroy()
      },
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The tap has no port')
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    requests,
    async close() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

/** Headers stay as they are, since the signature covers the host. */
async function passOn(
  target: string,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<number> {
  const { method, url, headers } = incoming
  const onward = request(`${target}${url}`, { method, headers, agent: false })
  outgoing.once('close', () => onward.destroy())
  const answered = once(onward, 'response')
  // S3 may answer before it has all of the body, and close; `answered` tells what else goes wrong.
  onward.on('error', () => {})
  pipeline(incoming, onward).catch(() => {})
  const [answer]: IncomingMessage[] = await answered
  if (!answer) throw new Error('no answer')
  const { statusCode = 502 } = answer
  outgoing.writeHead(statusCode, answer.headers)
  await pipeline(answer, outgoing)
  return statusCode
}

function describe(incoming: IncomingMessage, status: number | undefined): S3Request {
  const { pathname, searchParams } = new URL(incoming.url ?? '/', 'http://s3')
  const { headers } = incoming
  const partNumber = searchParams.get('partNumber')
  return {
    operation: operationOf(incoming),
    key: decodeURIComponent(pathname.split('/').slice(2).join('/')),
    uploadId: searchParams.get('uploadId') ?? undefined,
    partNumber: partNumber === null ? undefined : Number(partNumber),
    size: Number(headers['x-amz-decoded-content-length'] ?? headers['content-length'] ?? 0),
    status,
    headers,
  }
}
