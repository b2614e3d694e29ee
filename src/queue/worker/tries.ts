/** What is remembered of the tries of a job: how it began and how it went lately. */
import { z } from 'zod'
import { messageOf } from '../../errors.ts'
import type { JobTry } from '../contract.ts'
import type { LeasedJob, StoredJob } from './store.ts'

const firstKept = 5
const lastKept = 20
const longestText = 2_000

const endedTries = z.array(
  z.object({
    startedAt: z.number(),
    endedAt: z.number(),
    holder: z.string(),
    outcome: z.enum(['failed', 'postponed', 'returned', 'lost']),
    error: z.string(),
  }),
)

/** A try that did not bring the job to its end. */
export type EndedTry = z.infer<typeof endedTries>[number]

/**
 * The text of an error as it is kept: at most 2,000 characters, and none that a database refuses
 * (PostgreSQL stores neither NUL nor half of a surrogate pair).
 */
export function errorText(error: unknown): string {
  return messageOf(error).replaceAll('\0', '').slice(0, longestText).toWellFormed()
}

/** How the tries of a job are written with one more: the first 5 and the last 20 of them. */
export function addTry(
  job: Pick<LeasedJob, 'tries' | 'startedAt' | 'holder'>,
  ended: Pick<EndedTry, 'endedAt' | 'outcome' | 'error'>,
): string {
  const { startedAt, holder } = job
  const all = [...readTries(job.tries), { startedAt, holder, ...ended }]
  if (all.length <= firstKept + lastKept) return JSON.stringify(all)
  return JSON.stringify([...all.slice(0, firstKept), ...all.slice(-lastKept)])
}

/** All tries of a job that are kept, the oldest first, with the one that is under way or succeeded. */
export function triesOf(job: StoredJob): JobTry[] {
  const { startedAt, holder } = job
  const { state, finishedAt } = job.record
  const ended = readTries(job.tries)
  if (startedAt === undefined || holder === undefined) return ended
  const latest = { startedAt, holder, error: undefined }
  if (state === 'active') return [...ended, { ...latest, endedAt: undefined, outcome: undefined }]
  if (state === 'done') return [...ended, { ...latest, endedAt: finishedAt, outcome: 'done' }]
  return ended
}

/** Nothing for what cannot be read: no job is held up by its own past. */
function readTries(text: string | null): EndedTry[] {
  try {
    return endedTries.parse(JSON.parse(text ?? '[]'))
  } catch {
    return []
  }
}
