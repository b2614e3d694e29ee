import type { Method } from '../protocol/answer.ts'
import type { DialectDependencies } from '../protocol/context.ts'
import type { TusRequest } from './dialect.ts'

/** DELETE: the upload goes, finished or not, with everything that was made of it. */
export function terminateMethod({ remove }: DialectDependencies): Method<TusRequest> {
  return async ({ request, id }) => {
    const { reach } = request.visitor
    if (!(await remove(id, request.gone, reach))) await reach(undefined)
    return { status: 204 }
  }
}
