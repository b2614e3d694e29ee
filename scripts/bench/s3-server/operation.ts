import type { WireRequest } from './wire.ts'

export const operationNames = [
  'AbortMultipartUpload',
  'CompleteMultipartUpload',
  'CreateMultipartUpload',
  'DeleteObject',
  'DeleteObjects',
  'GetObject',
  'HeadBucket',
  'HeadObject',
  'ListMultipartUploads',
  'ListParts',
  'PutObject',
  'PutObjectTagging',
  'UploadPart',
] as const

export type OperationName = (typeof operationNames)[number]

/** A request as S3 reads it, with the bucket in the path. */
export interface Call {
  readonly operation: OperationName
  readonly bucket: string
  readonly key: string
  readonly query: URLSearchParams
  readonly request: WireRequest
}

/** Undefined for what this server does not know. */
export function readCall(request: WireRequest): Call | undefined {
  const { pathname, searchParams: query } = new URL(request.url, 'http://s3')
  const [, bucket = '', ...segments] = pathname.split('/')
  const key = decodeURIComponent(segments.join('/'))
  const { method } = request
  const operation = key === '' ? onBucket(method, query) : onObject(method, query)
  return operation && { operation, bucket, key, query, request }
}

function onBucket(method: string, query: URLSearchParams): OperationName | undefined {
  if (method === 'HEAD') return 'HeadBucket'
  if (method === 'GET' && query.has('uploads')) return 'ListMultipartUploads'
  if (method === 'POST' && query.has('delete')) return 'DeleteObjects'
  return undefined
}

function onObject(method: string, query: URLSearchParams): OperationName | undefined {
  const isMultipart = query.has('uploadId')
  switch (method) {
    case 'PUT':
      if (query.has('tagging')) return 'PutObjectTagging'
      return isMultipart ? 'UploadPart' : 'PutObject'
    case 'POST':
      if (query.has('uploads')) return 'CreateMultipartUpload'
      return isMultipart ? 'CompleteMultipartUpload' : undefined
    case 'GET':
      return isMultipart ? 'ListParts' : 'GetObject'
    case 'HEAD':
      return 'HeadObject'
    case 'DELETE':
      return isMultipart ? 'AbortMultipartUpload' : 'DeleteObject'
    default:
      return undefined
  }
}
