import { randomUUID } from 'node:crypto'
import { type Answer, elements, escapeXml, S3Error, xml } from './answer.ts'
import { takeBody } from './body.ts'
import { storedHeaders, verifiedEtag } from './object-calls.ts'
import type { Multipart, Objects, Part } from './objects.ts'
import type { Call } from './operation.ts'

const pageSize = 1_000
const minPartSize = 5 * 2 ** 20
/** A list of 10,000 parts with checksums is 2 MiB. */
const maxDocument = 4 * 2 ** 20

export function createMultipart(objects: Objects, { bucket, key }: Call): Answer {
  const uploadId = randomUUID()
  objects.multipart(uploadId, key)
  return xml(
    'InitiateMultipartUploadResult',
    `<Bucket>${bucket}</Bucket><Key>${escapeXml(key)}</Key><UploadId>${uploadId}</UploadId>`,
  )
}

export async function uploadPart(objects: Objects, { key, query, request }: Call): Promise<Answer> {
  const body = await takeBody(request, 0)
  const etag = verifiedEtag(body)
  const { parts } = objects.multipart(query.get('uploadId') ?? '', key)
  parts.set(Number(query.get('partNumber')), { size: body.size, etag })
  return { status: 200, headers: storedHeaders(etag, body) }
}

export function listParts(objects: Objects, { query, bucket, key }: Call): Answer {
  const { parts } = present(objects, query)
  const after = Number(query.get('part-number-marker') ?? 0)
  const limit = Math.min(pageSize, Number(query.get('max-parts') ?? pageSize))
  const rest = [...parts].filter(([number]) => number > after).sort(([a], [b]) => a - b)
  const page = rest.slice(0, limit)
  const last = page.at(-1)?.[0] ?? after
  return xml(
    'ListPartsResult',
    [
      `<Bucket>${bucket}</Bucket><Key>${escapeXml(key)}</Key>`,
      `<UploadId>${escapeXml(query.get('uploadId') ?? '')}</UploadId>`,
      `<PartNumberMarker>${after}</PartNumberMarker>`,
      `<NextPartNumberMarker>${last}</NextPartNumberMarker>`,
      `<MaxParts>${limit}</MaxParts><IsTruncated>${rest.length > page.length}</IsTruncated>`,
      ...page.map(([number, part]) => partXml(number, part)),
    ].join(''),
  )
}

export function listMultiparts(objects: Objects, { query }: Call): Answer {
  const prefix = query.get('prefix') ?? ''
  const uploads = [...objects.multiparts].flatMap(([uploadId, { key }]) =>
    key.startsWith(prefix)
      ? [`<Upload><Key>${escapeXml(key)}</Key><UploadId>${escapeXml(uploadId)}</UploadId></Upload>`]
      : [],
  )
  return xml(
    'ListMultipartUploadsResult',
    `<IsTruncated>false</IsTruncated>${uploads.slice(0, pageSize).join('')}`,
  )
}

export async function completeMultipart(
  objects: Objects,
  { key, query, bucket, request }: Call,
): Promise<Answer> {
  const { bytes } = await takeBody(request, maxDocument)
  const { parts } = present(objects, query)
  const document = bytes?.toString() ?? ''
  const etags = elements(document, 'ETag')
  const listed = elements(document, 'PartNumber').map((number, index) => {
    const part = parts.get(Number(number))
    if (part && withoutQuotes(part.etag) === withoutQuotes(etags[index])) return part
    throw new S3Error(400, 'InvalidPart', `Part ${number} is not what was stored`)
  })
  if (listed.length === 0) throw new S3Error(400, 'MalformedXML', 'There are no parts')
  if (listed.slice(0, -1).some(({ size }) => size < minPartSize)) {
    throw new S3Error(400, 'EntityTooSmall', 'A part is smaller than the minimum')
  }
  const size = listed.reduce((sum, part) => sum + part.size, 0)
  const etag = `"c-${size}-${listed.length}"`
  objects.put(key, { size, etag, bytes: undefined, headers: {} })
  objects.multiparts.delete(query.get('uploadId') ?? '')
  return xml(
    'CompleteMultipartUploadResult',
    `<Bucket>${bucket}</Bucket><Key>${escapeXml(key)}</Key><ETag>${escapeXml(etag)}</ETag>`,
  )
}

export function abortMultipart(objects: Objects, { query }: Call): Answer {
  present(objects, query)
  objects.multiparts.delete(query.get('uploadId') ?? '')
  return { status: 204 }
}

function present(objects: Objects, query: URLSearchParams): Multipart {
  const multipart = objects.multiparts.get(query.get('uploadId') ?? '')
  if (multipart) return multipart
  throw new S3Error(404, 'NoSuchUpload', 'The specified multipart upload does not exist.')
}

function partXml(number: number, { etag, size }: Part): string {
  return `<Part><PartNumber>${number}</PartNumber><ETag>${escapeXml(etag)}</ETag><Size>${size}</Size></Part>`
}

function withoutQuotes(etag: string | undefined): string | undefined {
  return etag?.replaceAll('"', '')
}
