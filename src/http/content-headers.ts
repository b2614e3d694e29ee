import { create as contentDisposition } from 'content-disposition'

/** Bytes to be delivered, and what is known of them. */
export interface Content {
  readonly key: string
  /** Bytes. */
  readonly size: number
  /** Without quotes. The bytes under it never change. */
  readonly etag: string
  /** What the bytes are, found by looking at them; undefined when nobody knows. */
  readonly contentType: string | undefined
  /** What the client said that they are, in lower case. */
  readonly declaredType?: string | undefined
  readonly filename?: string | undefined
  /** False while the bytes have not been looked at. */
  readonly settled?: boolean
  /** False where the URL asked for may lead to other bytes another time. */
  readonly lasting?: boolean
}

/** Types that a browser shows without running anything of them. Everything else is a download. */
const inert = /^(image\/(jpeg|png|apng|webp|gif|avif|tiff)|video\/[\w.+-]+|audio\/[\w.+-]+)$/
const unknown = 'application/octet-stream'

/**
 * The headers of a whole answer but its length. Only what was found to be inert is shown in place.
 * What a client said counts for a download only, and so long as it does not claim to be inert.
 */
export function headersOf(content: Content): Headers {
  const { etag, filename, settled = true } = content
  const caching = isLasting(content) ? 'private, max-age=31536000, immutable' : 'private, no-cache'
  const contentType = typeOf(content)
  const type = inert.test(contentType) ? 'inline' : 'attachment'
  return new Headers({
    // Once the type is known the answer is another one, though its bytes are the same.
    ETag: settled ? `"${etag}"` : `"${etag}-unsettled"`,
    'Content-Type': contentType,
    'Content-Disposition': contentDisposition(filename, { type }),
    'Accept-Ranges': 'bytes',
    'Cache-Control': caching,
    'X-Content-Type-Options': 'nosniff',
    'Content-Security-Policy': "sandbox; default-src 'none'",
    'Cross-Origin-Resource-Policy': 'cross-origin',
  })
}

/** Whether the answer may be kept without asking again. */
export function isLasting({ settled = true, lasting = true }: Content): boolean {
  return settled && lasting
}

function typeOf({ contentType, declaredType = unknown }: Content): string {
  return contentType ?? (inert.test(declaredType) ? unknown : declaredType)
}
