import type { AppError } from '../../errors.ts'
import { badHeader } from '../errors.ts'
import { contentTypeOf, filenameOf, type UploadMetadata } from '../metadata.ts'
import type { UploadRequest } from '../protocol/request.ts'

/** What the client says of the file, and how it is understood. */
export function readMetadata(request: UploadRequest) {
  const metadata = request.header('Upload-Metadata') || undefined
  const parsed = metadata ? parseMetadata(metadata) : {}
  return { metadata, filename: filenameOf(parsed), contentType: contentTypeOf(parsed) }
}

/**
 * `Upload-Metadata` (tus: Creation): pairs of a key and a Base64 value, separated by commas; a value
 * may be missing, a key comes once.
 * @throws AppError `bad-header` (400)
 */
export function parseMetadata(text: string): UploadMetadata {
  const metadata = new Map<string, string | null>()
  for (const pair of text.split(',')) {
    const [key = '', value, ...rest] = pair.split(' ')
    const isProper = /^[\x21-\x7e]+$/.test(key) && rest.length === 0 && !metadata.has(key)
    if (!isProper || (value !== undefined && !isBase64(value))) throw malformed()
    metadata.set(key, value ? Buffer.from(value, 'base64').toString('utf8') : null)
  }
  return Object.fromEntries(metadata)
}

function isBase64(text: string): boolean {
  return text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text)
}

function malformed(): AppError {
  const form = 'pairs of a key and a Base64 value, separated by commas, each key once'
  return badHeader(`Upload-Metadata has to be ${form}.`)
}
