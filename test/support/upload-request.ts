import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import { UploadRequest } from '../../src/uploads/protocol/request.ts'

/** The head of a request, as the protocols read it. */
export function uploadRequest(
  headers: IncomingHttpHeaders = {},
  { method = 'POST', url = '/files', trailers = {} } = {},
): UploadRequest {
  const incoming = { method, url, headers, trailers } as unknown as IncomingMessage
  const outgoing = { once: () => {} } as unknown as ServerResponse
  return new UploadRequest(incoming, outgoing)
}
