import type { JobQueue } from './contract.ts'
import { createLocalQueue } from './local/local-queue.ts'
import type { QueueOptions } from './worker/worker-queue.ts'

/** The queue that fits the database. pg-boss is loaded for PostgreSQL only: it takes memory. */
export async function createQueue(options: QueueOptions): Promise<JobQueue> {
  if (options.database.kind === 'sqlite') return createLocalQueue(options)
  const { createPostgresQueue } = await import('./postgres/postgres-queue.ts')
  return createPostgresQueue(options)
}
