/** `npm run migrate`: brings the database to the newest schema; the server does the same at start. */
import { loadConfig } from '../src/config.ts'
import { openDatabase } from '../src/database/database.ts'
import { migrate } from '../src/database/migrate.ts'
import { AppError } from '../src/errors.ts'
import { createInstance } from '../src/operations/instance.ts'
import { createQueue } from '../src/queue/create-queue.ts'

try {
  const database = openDatabase(loadConfig().database)
  await database.check()
  const applied = await migrate(database)
  const queue = await createQueue({ database, instance: createInstance() })
  await queue.prepare()
  await queue.stop(0)
  console.log(
    `${database.describe()}: ${applied.length ? `applied ${applied.join(', ')}` : 'up to date'}`,
  )
  await database.close()
} catch (error) {
  if (!(error instanceof AppError)) throw error
  console.error(`landfall: ${error.message}`)
  process.exitCode = 2
}
