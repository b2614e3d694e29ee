/**
 * The entry point of a conversion process: takes jobs from the channel to its parent, one at a time,
 * and lives as long as that channel does.
 */
import { writeFile } from 'node:fs/promises'
import { AppError, messageOf } from '../errors.ts'
import { jobSchema, type Outcome } from './messages.ts'
import { convertImage } from './pipeline.ts'
import { limitSharp } from './sharp-limits.ts'

async function run(message: unknown): Promise<void> {
  process.send?.(await outcomeOf(message))
}

async function outcomeOf(message: unknown): Promise<Outcome> {
  try {
    const { memory, ...request } = jobSchema.parse(message)
    const result = await convertImage(request, memory)
    return { type: 'converted', ...result, exif: result.exif ?? null }
  } catch (error) {
    return failure(error)
  }
}

function failure(error: unknown): Outcome {
  if (!(error instanceof AppError)) {
    const message = 'The image could not be converted just now.'
    return {
      type: 'failed',
      code: 'conversion-failed',
      status: 503,
      message,
      cause: messageOf(error),
    }
  }
  const { code, status, message, cause } = error
  const text = cause === undefined ? {} : { cause: messageOf(cause) }
  return { type: 'failed', code, status, message, ...text }
}

// An ordinary exit would wait for a decoder that is at work on its thread.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
process.on('message', (message) => void run(message))
limitSharp()
// When memory runs out, Linux is to take this process and not the one that holds the uploads.
await writeFile('/proc/self/oom_score_adj', '1000').catch(() => undefined)
