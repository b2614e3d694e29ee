import { serializeDictionary } from 'structured-headers'
import type { InteropVersion } from './versions.ts'

/** The largest Integer of a structured field (RFC 9651, 3.3.1). */
const largestInteger = 999_999_999_999_999

/** `Upload-Limit` of the server (draft, Limits). */
export function serverLimits(maxSize: number): string {
  return serializeDictionary({ 'max-size': Math.min(maxSize, largestInteger) })
}

/** `Upload-Limit` of an upload, in the versions that have it. @param expiresAt undefined when it does not. */
export function limitsOf(
  { ageLimit }: InteropVersion,
  maxSize: number,
  expiresAt: number | undefined,
): Record<string, string> {
  if (ageLimit === undefined) return {}
  const seconds = Math.max(0, Math.floor(((expiresAt ?? 0) - Date.now()) / 1_000))
  const age = expiresAt === undefined ? '' : `, ${serializeDictionary({ [ageLimit]: seconds })}`
  return { 'Upload-Limit': `${serverLimits(maxSize)}${age}` }
}
