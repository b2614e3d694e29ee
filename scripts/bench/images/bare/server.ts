/** Hands files to processes that convert them, a file at a time each, and does nothing besides. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { createServer, type IncomingMessage } from 'node:http'
import { basename, join } from 'node:path'
import { json } from 'node:stream/consumers'
import { z } from 'zod'
import { announce } from '../../announce.ts'

const worker = join(import.meta.dirname, 'convert.ts')
/** As the server has it: what allocators and thread pools do is not what is compared. */
const workerEnvironment = { MALLOC_ARENA_MAX: '2', UV_THREADPOOL_SIZE: '4' }

const [directory = '', concurrency = '1'] = process.argv.slice(2)
const workers: ChildProcess[] = []
const filesSchema = z.array(z.string())
const doneSchema = z.object({ bytes: z.number() })

announce(
  createServer((request, response) => {
    void answer(request).then(
      (bytes) => response.end(JSON.stringify({ bytes })),
      (error: unknown) => {
        console.error(error)
        response.writeHead(500).end()
      },
    )
  }),
)

/** @returns the bytes of all renditions. */
async function answer(request: IncomingMessage): Promise<number> {
  const left = filesSchema.parse(await json(request))
  const totals = await Promise.all(
    Array.from({ length: Number(concurrency) }, async (_, index) => {
      let total = 0
      for (let input = left.shift(); input !== undefined; input = left.shift()) {
        total += await convert(workerNumber(index), input)
      }
      return total
    }),
  )
  return totals.reduce((sum, total) => sum + total, 0)
}

function workerNumber(index: number): ChildProcess {
  workers[index] ??= fork(worker, { env: workerEnvironment, execArgv: [] })
  return workers[index]
}

async function convert(child: ChildProcess, input: string): Promise<number> {
  const output = join(directory, basename(input))
  await mkdir(output)
  child.send({ input, directory: output })
  const ended = once(child, 'exit').then(() => {
    throw new Error('a worker ended')
  })
  const [message] = await Promise.race([once(child, 'message'), ended])
  return doneSchema.parse(message).bytes
}
