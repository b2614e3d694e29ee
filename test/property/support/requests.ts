import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { AppError } from '../../../src/errors.ts'
import { UploadRequest } from '../../../src/uploads/protocol/request.ts'

export interface Line {
  readonly method?: string
  readonly url?: string
}

/** A request as the protocols see it, without a connection. */
export function requestWith(
  headers: Readonly<Record<string, string>>,
  { method = 'POST', url = '/files' }: Line = {},
): UploadRequest {
  const incoming = new IncomingMessage(new Socket())
  Object.assign(incoming, { method, url })
  for (const [name, value] of Object.entries(headers)) incoming.headers[name.toLowerCase()] = value
  return new UploadRequest(incoming, new ServerResponse(incoming))
}

/**
 * What a parser makes of something; undefined when it refuses it as the client's mistake. Any other
 * error is thrown on.
 */
export function readOrRefuse<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof AppError && error.status >= 400 && error.status < 500) return undefined
    throw error
  }
}
