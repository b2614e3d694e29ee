import { badHeader } from '../errors.ts'
import type { Method } from '../protocol/answer.ts'
import type { DialectDependencies } from '../protocol/context.ts'
import { requireBytes } from './bytes.ts'
import type { TusRequest } from './dialect.ts'
import { expires } from './expires.ts'

/** PATCH: the bytes at an offset, and the length of an upload that was begun without one. */
export function patchMethod({ append }: DialectDependencies): Method<TusRequest> {
  return async ({ request, id }) => {
    const bytes = requireBytes(request)
    const from = request.wholeNumber('Upload-Offset')
    if (from === undefined) throw badHeader('Upload-Offset is required.')
    const length = request.wholeNumber('Upload-Length')
    const { reach } = request.visitor
    const continuation = { id, reach, from, length, ending: 'last-byte' } as const
    const received = await append(continuation, bytes, request.gone)
    return {
      status: 204,
      headers: {
        'Upload-Offset': String(received.offset),
        ...(!received.stored && expires(received.expiresAt)),
      },
    }
  }
}
