import { type Database, type DatabaseTarget, openDatabase } from '../../../src/database/database.ts'
import { migrate } from '../../../src/database/migrate.ts'
import { createInstance, type Instance } from '../../../src/operations/instance.ts'
import type { JobQueue } from '../../../src/queue/contract.ts'
import { createQueue } from '../../../src/queue/create-queue.ts'
import type { JobKind } from '../../../src/queue/kinds.ts'
import type { EmptyQueue } from './empty-queue.ts'

/** Any will do: what a job of the kind does is up to the handler, which does nothing here. */
const kind = 'storage.remove' satisfies JobKind
const payload = { keys: [] }

/** As `compose.ts` makes it for this kind of database. */
async function openQueue(
  database: Database,
  instance: Instance,
  concurrency: number,
): Promise<JobQueue> {
  const queue = await createQueue({ database, instance, concurrency: { [kind]: concurrency } })
  await queue.prepare()
  return queue
}

export async function openLandfallQueue(target: DatabaseTarget): Promise<EmptyQueue> {
  const database = openDatabase(target)
  await migrate(database)
  const instance = createInstance()
  const writer = await openQueue(database, instance, 1)
  return {
    enqueue: (count) =>
      database.transaction(async (trx) => {
        for (let added = 0; added < count; added += 1) await writer.enqueue(trx, kind, payload)
      }),
    drain: async (count, concurrency) =>
      drain(await openQueue(database, instance, concurrency), count),
    async [Symbol.asyncDispose]() {
      await writer.stop(0)
      await database.close()
    },
  }
}

async function drain(queue: JobQueue, count: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  let left = count
  queue.handle({
    kind,
    async run() {
      left -= 1
      if (left === 0) resolve()
    },
  })
  await queue.start()
  await promise
  await queue.stop(10_000)
}
