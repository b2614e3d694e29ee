/**
 * What the ledger keeps as the etag of a part: the etag, and the CRC-32 where the service stored it
 * along. Such a service wants to hear both again when the parts are put together.
 */
export interface PartTag {
  readonly etag: string
  /** In base64, as S3 writes it. */
  readonly crc32: string | undefined
}

const separator = ';crc32='

export function formatPartTag({ etag, crc32 }: PartTag): string {
  return crc32 === undefined ? etag : `${etag}${separator}${crc32}`
}

export function parsePartTag(text: string): PartTag {
  const [etag = text, crc32] = text.split(separator)
  return { etag, crc32 }
}
