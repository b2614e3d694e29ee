import { lengthOfSources } from '../concat-records.ts'
import { locked } from '../errors.ts'
import type { Method } from '../protocol/answer.ts'
import type { DialectDependencies } from '../protocol/context.ts'
import type { Upload } from '../upload.ts'
import type { TusRequest } from './dialect.ts'
import { expires } from './expires.ts'

/** HEAD: where an upload stands. The full length is told only of an upload that is stored. */
export function headMethod({ look, queries }: DialectDependencies): Method<TusRequest> {
  return async ({ request, id }) => {
    const upload = await look(id, request.gone, request.visitor.reach)
    const { concat, metadata } = upload
    if (upload.state === 'assembling' && concat?.role !== 'final') throw locked()
    const length =
      upload.length === undefined && concat?.role === 'final'
        ? await lengthOfSources(queries, concat.sources)
        : upload.length
    return {
      status: 200,
      headers: {
        'Cache-Control': 'no-store',
        ...progress({ ...upload, length }),
        ...(metadata && { 'Upload-Metadata': metadata }),
        ...(concat && { 'Upload-Concat': concat.role === 'final' ? concat.header : concat.role }),
        ...expires(upload.expiresAt),
      },
    }
  }
}

function progress({ concat, state, offset, length }: Upload): Record<string, string> {
  // What is not said before is said once it is there (tus: Concatenation).
  if (concat?.role === 'final' && state !== 'stored') {
    return length === undefined ? {} : { 'Upload-Length': String(length) }
  }
  // All of its bytes are there, and its client has not said yet that these are all (see `ietf/`).
  const isOpen = length === undefined || (state === 'receiving' && offset === length)
  return {
    'Upload-Offset': String(offset),
    ...(isOpen ? { 'Upload-Defer-Length': '1' } : { 'Upload-Length': String(length) }),
  }
}
