import { type Answer, elements, escapeXml, S3Error, xml } from './answer.ts'
import { type TakenBody, takeBody } from './body.ts'
import { keptSize, type Objects, type StoredObject } from './objects.ts'
import type { Call } from './operation.ts'

const maxDocument = 2 ** 20

export async function putObject(objects: Objects, { key, request }: Call): Promise<Answer> {
  const body = await takeBody(request, keptSize)
  const etag = verifiedEtag(body)
  const headers = [...request.headers].filter(
    ([name]) => name.startsWith('x-amz-meta-') || name === 'content-type',
  )
  const { size, bytes } = body
  objects.put(key, { size, bytes, etag, headers: Object.fromEntries(headers) })
  return { status: 200, headers: storedHeaders(etag, body) }
}

export function getObject(objects: Objects, { key, request }: Call): Answer {
  const object = present(objects, key)
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.get('range') ?? '') ?? []
  const start = Number(first ?? 0)
  const end = last ? Math.min(Number(last), object.size - 1) : object.size - 1
  if (first !== undefined && start >= object.size) {
    throw new S3Error(416, 'InvalidRange', 'The requested range is not satisfiable')
  }
  const range = `bytes ${start}-${end}/${object.size}`
  return {
    status: first === undefined ? 200 : 206,
    headers: { ...describe(object), ...(first !== undefined && { 'Content-Range': range }) },
    body: object.bytes?.subarray(start, end + 1) ?? end + 1 - start,
  }
}

export function headObject(objects: Objects, { key }: Call): Answer {
  const object = present(objects, key)
  return { status: 200, headers: { ...describe(object), 'Content-Length': object.size } }
}

export function deleteObject(objects: Objects, { key }: Call): Answer {
  objects.remove(key)
  return { status: 204 }
}

export async function deleteObjects(objects: Objects, { request }: Call): Promise<Answer> {
  const { bytes } = await takeBody(request, maxDocument)
  const keys = elements(bytes?.toString() ?? '', 'Key')
  for (const key of keys) objects.remove(key)
  const deleted = keys.map((key) => `<Deleted><Key>${escapeXml(key)}</Key></Deleted>`)
  return xml('DeleteResult', deleted.join(''))
}

/**
 * Refuses other bytes than the checksum says, as AWS does. An ETag is not the MD5 here: that would
 * be one more pass over all bytes in the process that is to cost little, and nothing in the answer
 * may look like an MD5 to a client that compares it with one.
 */
export function verifiedEtag({ size, crc32, sentCrc32 }: TakenBody): string {
  if (sentCrc32 !== undefined && sentCrc32 !== crc32) {
    throw new S3Error(400, 'BadDigest', 'The checksum did not match what was received')
  }
  return `"c-${Buffer.from(crc32, 'base64').toString('hex')}-${size}"`
}

/** With the checksum when there was one in the request: AWS answers none that it was not given. */
export function storedHeaders(etag: string, { sentCrc32 }: TakenBody): Record<string, string> {
  return { ETag: etag, ...(sentCrc32 !== undefined && { 'x-amz-checksum-crc32': sentCrc32 }) }
}

function present(objects: Objects, key: string): StoredObject {
  const object = objects.get(key)
  if (object) return object
  throw new S3Error(404, 'NoSuchKey', 'The specified key does not exist.')
}

function describe({ etag, headers }: StoredObject): Record<string, string> {
  return { ...headers, ETag: etag, 'Accept-Ranges': 'bytes' }
}
