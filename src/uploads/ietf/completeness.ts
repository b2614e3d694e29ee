import type { UploadRequest } from '../protocol/request.ts'
import { formatBoolean, readBoolean } from './fields.ts'
import type { InteropVersion } from './versions.ts'

/** Whether an upload is complete with a request; undefined when it does not say. */
export function readCompleteness(
  request: UploadRequest,
  { completeness }: InteropVersion,
): boolean | undefined {
  const value = readBoolean(request, completeness)
  if (completeness === 'Upload-Complete') return value
  // In draft-01 what is not incomplete is complete, but for a creation it has to be said.
  return value === undefined && request.method === 'POST' ? undefined : !value
}

/** The field that says whether an upload is complete. */
export function completenessOf(
  { completeness }: InteropVersion,
  isComplete: boolean,
): Record<string, string> {
  const value = completeness === 'Upload-Complete' ? isComplete : !isComplete
  return { [completeness]: formatBoolean(value) }
}
