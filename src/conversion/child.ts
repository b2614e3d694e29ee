/**
 * The entry point of a conversion process: takes jobs from the channel to its parent, one at a time,
 * and lives as long as that channel does.
 */
import { writeFile } from 'node:fs/promises'
import { AppError, messageOf } from '../errors.ts'
import { type Job, type Outcome, orderSchema, type Reply } from './messages.ts'
import { convertImage } from './pipeline.ts'
import { limitSharp } from './sharp-limits.ts'

/** Lets the job that waits for memory go on. */
let proceed = () => {}

function obey(message: unknown): void {
  const order = orderSchema.parse(message)
  if (order.type === 'go') proceed()
  else void outcomeOf(order).then(reply)
}

function reply(message: Reply): void {
  process.send?.(message)
}

async function outcomeOf({ memory, heifConvert, ...request }: Job): Promise<Outcome> {
  try {
    const result = await convertImage(request, { memory, heifConvert, reserve })
    return { type: 'converted', ...result, exif: result.exif ?? null }
  } catch (error) {
    return failure(error)
  }
}

function reserve(format: string, bytes: number): Promise<void> {
  return new Promise((resolve) => {
    proceed = resolve
    reply({ type: 'estimate', format, bytes })
  })
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

// An ordinary exit would wait for a decoder that is at work on its thread, or leave one behind that
// is a process of its own: the group is this process and what it started.
process.on('disconnect', () => {
  try {
    process.kill(-process.pid, 'SIGKILL')
  } catch {
    process.kill(process.pid, 'SIGKILL')
  }
})
process.on('message', obey)
limitSharp()
// When memory runs out, Linux is to take this process and not the one that holds the uploads.
await writeFile('/proc/self/oom_score_adj', '1000').catch(() => undefined)
// Where Linux shares the processors among sessions first, being nice within one's own is not enough.
await writeFile('/proc/self/autogroup', '10').catch(() => undefined)
