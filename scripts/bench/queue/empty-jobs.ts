import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import pg from 'pg'
import { z } from 'zod'
import { Child } from '../../../test/support/child.ts'
import { postgresService } from '../../../test/support/services/postgres.ts'
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts'
import { type Column, compare } from '../compare.ts'
import type { Lane } from '../lane.ts'
import type { QueueSpeed } from './empty-queue.ts'

interface QueueContestant {
  readonly name: string
  readonly shortName: string
  /** Which one `process.ts` is to measure. */
  readonly queue: string
}

const onSqlite: readonly QueueContestant[] = [
  { name: 'Landfall on SQLite', shortName: 'Landfall', queue: 'landfall-sqlite' },
  { name: 'bare statements', shortName: 'bare', queue: 'bare-sqlite' },
]
const onPostgres: readonly QueueContestant[] = [
  { name: 'Landfall on PostgreSQL', shortName: 'Landfall', queue: 'landfall-postgres' },
  { name: 'pg-boss by itself', shortName: 'pg-boss', queue: 'pg-boss' },
]

/** Each in a process of its own, on an empty database of its own. */
export const queueEmpty: Lane = {
  name: 'queue-empty',
  description:
    'jobs that do nothing: added in transactions of 1 and of 100, and run 2 and 16 at a time; a PostgreSQL the bench starts does not sync',
  usualSize: undefined,
  usualCount: 5_000,
  async run({ rounds, count }) {
    await compare({
      contestants: onSqlite,
      rounds,
      columns,
      measure: ({ queue }) =>
        measureBoth(async (concurrency) => {
          await using directory = await temporaryDirectory()
          return await measureIn(queue, directory.path, count, concurrency)
        }),
    })
    console.log()
    await using postgres = await openPostgres()
    await compare({
      contestants: onPostgres,
      rounds,
      columns,
      measure: ({ queue }) =>
        measureBoth(async (concurrency) =>
          measureIn(queue, await postgres.createDatabase(), count, concurrency),
        ),
    })
  },
}

interface Measurement {
  readonly two: QueueSpeed
  readonly sixteen: QueueSpeed
}

const columns: readonly Column<Measurement>[] = [
  { title: 'added/s by 1', value: ({ two }) => two.addedByOne },
  { title: 'by 100', value: ({ two }) => two.addedByHundred },
  { title: 'run/s, 2 at a time', value: ({ two }) => two.run },
  { title: 'CPU ms each', value: ({ two }) => two.cpuMs },
  { title: 'run/s, 16', value: ({ sixteen }) => sixteen.run },
  { title: 'CPU ms each', value: ({ sixteen }) => sixteen.cpuMs },
]

/** On a fresh database each: what ran before slows down the next, above all in PostgreSQL. */
async function measureBoth(
  measure: (concurrency: number) => Promise<QueueSpeed>,
): Promise<Measurement> {
  return { two: await measure(2), sixteen: await measure(16) }
}

const speedSchema = z.object({
  addedByOne: z.number(),
  addedByHundred: z.number(),
  run: z.number(),
  cpuMs: z.number(),
})

async function measureIn(
  queue: string,
  where: string,
  count: number,
  concurrency: number,
): Promise<QueueSpeed> {
  await using child = new Child({
    args: [join(import.meta.dirname, 'process.ts'), queue, where, `${count}`, `${concurrency}`],
    env: { PATH: process.env.PATH ?? '' },
  })
  const { code } = await child.exited
  if (code !== 0) throw new Error(`${queue} was not measured:\n${child.stderr}`)
  return speedSchema.parse(JSON.parse(child.stdout))
}

interface Postgres extends AsyncDisposable {
  /** Returns the URL of an empty database. */
  createDatabase(): Promise<string>
}

async function openPostgres(): Promise<Postgres> {
  const service = await postgresService.start()
  const adminUrl = service.provides.postgresAdminUrl ?? ''
  const names: string[] = []
  const administer = async (statement: string) => {
    const client = new pg.Client({ connectionString: adminUrl })
    await client.connect()
    await client.query(statement).finally(() => client.end())
  }
  return {
    async createDatabase() {
      const name = `landfall_bench_${randomBytes(8).toString('hex')}`
      await administer(`create database ${name}`)
      names.push(name)
      return Object.assign(new URL(adminUrl), { pathname: `/${name}` }).href
    },
    async [Symbol.asyncDispose]() {
      for (const name of names) await administer(`drop database ${name} with (force)`)
      await service.stop()
    },
  }
}
