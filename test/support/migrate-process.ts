/**
 * Migrates databases one after the other as soon as a line arrives on standard input, so that
 * several processes can begin together, and prints what it applied to each as JSON. Argument: the
 * database targets as JSON.
 */
import { once } from 'node:events'
import { type DatabaseTarget, openDatabase } from '../../src/database/database.ts'
import { migrate } from '../../src/database/migrate.ts'

const targets = JSON.parse(process.argv[2] ?? '[]') as DatabaseTarget[]
console.log('ready')
await once(process.stdin, 'data')
process.stdin.pause()
const applied: string[][] = []
for (const target of targets) {
  const database = openDatabase(target)
  applied.push(await migrate(database))
  await database.close()
}
console.log(JSON.stringify(applied))
