import { STATUS_CODES } from 'node:http'
import type { AppError } from '../../errors.ts'
import { OffsetMismatchError } from '../errors.ts'
import type { Answer } from '../protocol/answer.ts'
import { retryFieldsOf } from '../protocol/handler.ts'
import { completenessOf } from './completeness.ts'
import type { InteropVersion } from './versions.ts'

/** Problem types of the draft, by our codes. */
const types: Readonly<Record<string, string>> = {
  'offset-mismatch': 'mismatching-upload-offset',
  'inconsistent-length': 'inconsistent-upload-length',
  'upload-too-long': 'inconsistent-upload-length',
  'upload-complete': 'completed-upload',
}
const registry = 'https://iana.org/assignments/http-problem-types#'

/** Where the draft wants another status than the one the error has. */
function statusOf({ code, status }: AppError, version: InteropVersion): number {
  // To the draft 413 says that a smaller request will do (Limits), and this is about the length.
  if (code === 'upload-too-long') return 400
  return status === 410 ? version.gone : status
}

/** An error as a problem document (RFC 9457). */
export function problem(error: AppError, version: InteropVersion): Answer {
  const status = statusOf(error, version)
  const type = types[error.code]
  const mismatch = error instanceof OffsetMismatchError ? error : undefined
  // Of an upload whose content is wrong as a whole nothing can be continued.
  const isOver = ['repr-digest-mismatch', 'type-not-accepted', 'upload-complete'].includes(
    error.code,
  )
  return {
    status,
    headers: {
      'Content-Type': 'application/problem+json',
      'Cache-Control': 'no-store',
      ...completenessOf(version, isOver),
      ...(mismatch && { 'Upload-Offset': String(mismatch.expected) }),
      ...retryFieldsOf(error),
    },
    body: JSON.stringify({
      type: type === undefined ? 'about:blank' : `${registry}${type}`,
      title: STATUS_CODES[status] ?? 'Error',
      status,
      detail: error.message,
      code: error.code,
      ...(mismatch && {
        'expected-offset': mismatch.expected,
        'provided-offset': mismatch.provided,
      }),
    }),
  }
}
