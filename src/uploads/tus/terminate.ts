import { uploadNotFound } from '../errors.ts'
import { idOf, type TusDependencies, type TusMethod } from './context.ts'

/** DELETE: the upload goes, finished or not, with everything that was made of it. */
export function terminateMethod({ remove }: TusDependencies): TusMethod {
  return async (request) => {
    if (!(await remove(idOf(request), request.gone))) throw uploadNotFound()
    return { status: 204 }
  }
}
