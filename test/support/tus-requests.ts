/** Single tus requests, for what a client library would never do. */
import { once } from 'node:events'
import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { idOf } from './upload.ts'

export const tusHeaders = { 'Tus-Resumable': '1.0.0' }
const bytesType = { 'Content-Type': 'application/offset+octet-stream' }

/** Begins an upload and returns its id. */
export async function beginUpload(server: string, length: number): Promise<string> {
  const response = await fetch(`${server}/files`, {
    method: 'POST',
    headers: { ...tusHeaders, 'Upload-Length': String(length) },
  })
  return idOf(new URL(response.headers.get('Location') ?? '', server).href)
}

export function headUpload(server: string, id: string): Promise<Response> {
  return fetch(`${server}/files/${id}`, { method: 'HEAD', headers: tusHeaders })
}

export function patchUpload(
  server: string,
  id: string,
  offset: number,
  bytes: Buffer,
): Promise<Response> {
  return fetch(`${server}/files/${id}`, {
    method: 'PATCH',
    headers: { ...tusHeaders, ...bytesType, 'Upload-Offset': String(offset) },
    body: new Uint8Array(bytes),
  })
}

export function deleteUpload(server: string, id: string): Promise<Response> {
  return fetch(`${server}/files/${id}`, { method: 'DELETE', headers: tusHeaders })
}

export interface OpenPatch {
  readonly request: ClientRequest
  /** Resolves with the answer; rejects when the connection breaks before. */
  readonly answered: Promise<IncomingMessage>
}

/**
 * A PATCH that announces more bytes than it sends, and then falls silent. Resolves when the server
 * has begun to take bytes of it and has had the time to take these.
 */
export async function openPatch(
  server: string,
  id: string,
  offset: number,
  sent: Buffer,
  announced: number,
): Promise<OpenPatch> {
  const patch = request(`${server}/files/${id}`, {
    method: 'PATCH',
    agent: false,
    headers: {
      ...tusHeaders,
      ...bytesType,
      'Upload-Offset': String(offset),
      'Content-Length': String(announced),
      // The server asks for the body once it is about to read it.
      Expect: '100-continue',
    },
  })
  const answered = once(patch, 'response').then(([response]: IncomingMessage[]) => {
    if (!response) throw new Error('there was no answer')
    response.resume()
    return response
  })
  answered.catch(() => {})
  patch.on('error', () => {})
  patch.flushHeaders()
  await once(patch, 'continue')
  await new Promise<void>((resolve, reject) => {
    patch.write(sent, (error) => (error ? reject(error) : resolve()))
  })
  // What is answered now was sent after those bytes.
  await fetch(`${server}/readyz`)
  return { request: patch, answered }
}
