import type { IncomingMessage } from 'node:http'

export type S3Operation =
  | 'CreateMultipartUpload'
  | 'UploadPart'
  | 'UploadPartCopy'
  | 'CompleteMultipartUpload'
  | 'AbortMultipartUpload'
  | 'ListMultipartUploads'
  | 'ListParts'
  | 'ListObjects'
  | 'PutObject'
  | 'GetObject'
  | 'HeadObject'
  | 'HeadBucket'
  | 'DeleteObject'
  | 'DeleteObjects'

interface AskedFor extends Pick<IncomingMessage, 'method' | 'url'> {
  readonly headers?: IncomingMessage['headers']
}

/** Which operation a request with the bucket in its path asks for. */
export function operationOf({ method, url, headers = {} }: AskedFor): S3Operation | undefined {
  const { pathname, searchParams } = new URL(url ?? '/', 'http://s3')
  const target: Target = {
    isObject: /^\/[^/]+\/./.test(pathname),
    isPart: searchParams.has('uploadId'),
    isCopy: headers['x-amz-copy-source'] !== undefined,
    asks: (parameter) => searchParams.has(parameter),
  }
  return operations[method ?? '']?.(target)
}

interface Target {
  readonly isObject: boolean
  /** Whether a multipart upload is named. */
  readonly isPart: boolean
  /** Whether the body is another object's. */
  readonly isCopy: boolean
  asks(parameter: string): boolean
}

const operations: Readonly<Record<string, (target: Target) => S3Operation | undefined>> = {
  POST({ isPart, asks }) {
    if (asks('uploads')) return 'CreateMultipartUpload'
    if (asks('delete')) return 'DeleteObjects'
    return isPart ? 'CompleteMultipartUpload' : undefined
  },
  PUT({ isObject, isPart, isCopy }) {
    if (isPart) return isCopy ? 'UploadPartCopy' : 'UploadPart'
    return isObject ? 'PutObject' : undefined
  },
  DELETE({ isObject, isPart }) {
    if (isPart) return 'AbortMultipartUpload'
    return isObject ? 'DeleteObject' : undefined
  },
  HEAD: ({ isObject }) => (isObject ? 'HeadObject' : 'HeadBucket'),
  GET({ isObject, isPart, asks }) {
    if (asks('uploads')) return 'ListMultipartUploads'
    if (isPart) return 'ListParts'
    if (isObject) return 'GetObject'
    return asks('list-type') ? 'ListObjects' : undefined
  },
}
