import { hasCode, messageOf } from '../errors.ts'
import { PostponedJobError } from '../queue/contract.ts'

/**
 * The error a job should end with: storage that is away or full says nothing about the job, so it is
 * tried again later, however long the outage lasts.
 */
export function postponedByOutage(error: unknown): unknown {
  return hasCode(error, 'storage-unavailable', 'storage-full', 'ENOSPC', 'EDQUOT')
    ? new PostponedJobError(messageOf(error), { cause: error })
    : error
}
