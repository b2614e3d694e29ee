/** The fields of the protocol, which are Structured Fields (RFC 9651). */
import { ParseError, parseItem } from 'structured-headers'
import type { UploadRequest } from '../protocol/request.ts'

/** An Integer that is not negative. Other values count as if the field were not there (draft, 4.1). */
export function readInteger(request: UploadRequest, name: string): number | undefined {
  const field = request.header(name)
  if (field === undefined) return undefined
  const value = bareItem(field)
  // The library reads a Decimal as a number, too.
  const isInteger = typeof value === 'number' && /^ *\d+ *(;|$)/.test(field)
  return isInteger ? value : undefined
}

/** A Boolean. Other values count as if the field were not there. */
export function readBoolean(request: UploadRequest, name: string): boolean | undefined {
  const field = request.header(name)
  if (field === undefined) return undefined
  const value = bareItem(field)
  return typeof value === 'boolean' ? value : undefined
}

export function formatBoolean(value: boolean): string {
  return value ? '?1' : '?0'
}

/** Parameters mean nothing here. */
function bareItem(field: string): unknown {
  try {
    return parseItem(field)[0]
  } catch (error) {
    if (error instanceof ParseError) return undefined
    throw error
  }
}
