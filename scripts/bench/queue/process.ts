/** Measures one queue and writes what came out as JSON. Arguments: which queue, where, jobs, at a time. */
import { join } from 'node:path'
import { openBarePgBoss } from './bare-pg-boss.ts'
import { openBareSqlite } from './bare-sqlite.ts'
import { type EmptyQueue, measureQueue } from './empty-queue.ts'
import { openLandfallQueue } from './landfall-queue.ts'

const openers: Readonly<Record<string, (where: string) => Promise<EmptyQueue>>> = {
  'landfall-sqlite': (directory) =>
    openLandfallQueue({ kind: 'sqlite', file: join(directory, 'landfall.db') }),
  'bare-sqlite': (directory) => openBareSqlite(join(directory, 'bare.db')),
  'landfall-postgres': (url) => openLandfallQueue({ kind: 'postgres', url }),
  'pg-boss': openBarePgBoss,
}

const [name = '', where = '', count = '', concurrency = ''] = process.argv.slice(2)
const open = openers[name]
if (!open) throw new Error(`no queue ${name}`)
await using queue = await open(where)
console.log(JSON.stringify(await measureQueue(queue, Number(count), Number(concurrency))))
