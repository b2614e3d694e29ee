/** `npm run migrate`: brings the database to the newest schema; the server does the same at start. */
import { loadConfig } from '../src/config.ts'
import { type Database, openDatabase } from '../src/database/database.ts'
import { migrate } from '../src/database/migrate.ts'
import { AppError } from '../src/errors.ts'
import { createInstance } from '../src/operations/instance.ts'
import { createQueue } from '../src/queue/create-queue.ts'

try {
  await run(openDatabase(loadConfig().database))
} catch (error) {
  if (!(error instanceof AppError)) throw error
  console.error(`landfall: ${error.message}`)
  process.exitCode = 2
}

/** What was begun is ended also when it fails: it would keep the process. */
async function run(database: Database): Promise<void> {
  const queue = await createQueue({ database, instance: createInstance() })
  try {
    await database.check()
    const applied = await migrate(database)
    await queue.prepare()
    console.log(
      `${database.describe()}: ${applied.length ? `applied ${applied.join(', ')}` : 'up to date'}`,
    )
  } finally {
    await queue.stop(0)
    await database.close()
  }
}
