/** Requests that begin an upload, in either protocol. */
import { tusHeaders } from './tus-requests.ts'

export interface Beginning {
  /** Unset: it is not said. */
  readonly length?: number
  /** Media type that the file is said to be of. */
  readonly type?: string
  /** Unset: none are sent with it. */
  readonly bytes?: Buffer
  readonly headers?: Readonly<Record<string, string>>
}

type Begin = (server: string, beginning: Beginning) => Promise<Response>

const ietfVersion = { 'Upload-Draft-Interop-Version': '8' }

const beginTus: Begin = (server, { length, type, bytes, headers }) =>
  post(server, bytes, {
    ...tusHeaders,
    ...(length === undefined
      ? { 'Upload-Defer-Length': '1' }
      : { 'Upload-Length': String(length) }),
    ...(type !== undefined && { 'Upload-Metadata': `filetype ${btoa(type)}` }),
    ...(bytes && { 'Content-Type': 'application/offset+octet-stream' }),
    ...headers,
  })

const beginIetf: Begin = (server, { length, type, bytes, headers }) =>
  post(server, bytes ?? Buffer.alloc(0), {
    ...ietfVersion,
    'Upload-Complete': bytes && bytes.length === length ? '?1' : '?0',
    ...(length !== undefined && { 'Upload-Length': String(length) }),
    ...(type !== undefined && { 'Content-Type': type }),
    ...headers,
  })

/** What a test of both protocols loops over. */
export const protocols = [
  { protocol: 'tus', begin: beginTus },
  { protocol: 'ietf', begin: beginIetf },
] as const

function post(server: string, bytes: Buffer | undefined, headers: Record<string, string>) {
  return fetch(`${server}/files`, {
    method: 'POST',
    headers,
    ...(bytes && { body: new Uint8Array(bytes) }),
  })
}

/** The id of the upload that an answer names. @throws when it names none. */
export function begunId(answer: Response): string {
  const id = /([^/]+)$/.exec(answer.headers.get('Location') ?? '')?.[1]
  if (id === undefined) throw new Error(`no upload was begun: ${answer.status}`)
  return id
}
