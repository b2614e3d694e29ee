import { PgBoss } from 'pg-boss'
import type { EmptyQueue } from './empty-queue.ts'

const queue = 'empty'

/**
 * pg-boss by itself, with its own `work`: as many workers as jobs may run at a time, each of which is
 * told to look again as soon as it had a job. It would otherwise pause for half a second.
 */
export async function openBarePgBoss(connectionString: string): Promise<EmptyQueue> {
  const boss = new PgBoss({ connectionString, supervise: false, schedule: false })
  boss.on('error', (error) => console.error(error))
  await boss.start()
  await boss.createQueue(queue)
  return {
    async enqueue(count) {
      await boss.insert(
        queue,
        Array.from({ length: count }, () => ({ data: { keys: [] } })),
      )
    },
    drain: (count, concurrency) => drain(boss, count, concurrency),
    [Symbol.asyncDispose]: () => boss.stop({ graceful: false }),
  }
}

async function drain(boss: PgBoss, count: number, concurrency: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  let left = count
  const startWorker = () => {
    const worker = boss.work(queue, { pollingIntervalSeconds: 0.5 }, async () => {
      left -= 1
      if (left === 0) resolve()
      void worker.then((id) => boss.notifyWorker(id))
    })
    return worker
  }
  await Promise.all(Array.from({ length: concurrency }, startWorker))
  await promise
  await boss.offWork(queue, { wait: true })
}
