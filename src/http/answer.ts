import type { IncomingMessage, ServerResponse } from 'node:http'

/** So much of a body that is left over is read for the sake of the connection. */
const smallRest = 64 * 2 ** 10
/** How long a client that still sends has to read its answer, and what is taken from it meanwhile. */
const lingerMs = 5_000
const lingerBytes = 16 * 2 ** 20

/**
 * Sends an answer, also to a client that is still sending its request. Closing a connection with
 * unread bytes resets it, and the client would see that instead of the answer; reading all that
 * comes could go on for gigabytes. So the answer is sent, some of what comes is thrown away, and
 * the connection is closed after a while or once the client has left (RFC 9112, section 9.6).
 */
export async function sendAnswer(
  request: IncomingMessage,
  response: ServerResponse,
  answer: Response,
): Promise<void> {
  const body = answer.body ? Buffer.from(await answer.arrayBuffer()) : undefined
  if (response.destroyed || response.headersSent) return
  for (const [name, value] of answer.headers) response.setHeader(name, value)
  if (body) response.setHeader('Content-Length', body.length)
  else if (mayHaveBody(request, answer)) response.setHeader('Content-Length', 0)
  response.statusCode = answer.status
  if (answer.statusText) response.statusMessage = answer.statusText
  if (!isStillSending(request)) {
    response.end(body)
    return
  }
  response.setHeader('Connection', 'close')
  // All of the answer goes out now; it is ended later, since that closes the connection.
  if (body && request.method !== 'HEAD') response.write(body)
  else response.flushHeaders()
  await linger(request)
  response.end()
}

function mayHaveBody({ method }: IncomingMessage, { status }: Response): boolean {
  return method !== 'HEAD' && status !== 204 && status !== 304
}

function isStillSending(request: IncomingMessage): boolean {
  const { complete, headers } = request
  if (complete) return false
  // One that waits to be asked for its body never sends it now, and the connection is of no more use.
  if (headers.expect !== undefined) return true
  const announced = headers['content-length']
  return announced === undefined
    ? headers['transfer-encoding'] !== undefined
    : Number(announced) > smallRest
}

/** Resolves when the client has sent all or is gone, or its time is over. */
async function linger(request: IncomingMessage): Promise<void> {
  const { promise: over, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, lingerMs)
  let taken = 0
  const discard = (chunk: Buffer) => {
    taken += chunk.length
    if (taken > lingerBytes) request.pause()
  }
  request.on('data', discard).once('end', resolve).once('close', resolve).on('error', resolve)
  request.resume()
  await over
  clearTimeout(timer)
  request.off('data', discard)
}
