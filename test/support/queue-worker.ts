/**
 * A process that works on the queue of a database until SIGTERM. Appends every image id it begins
 * with to a file; with `hang` it never finishes one.
 *
 * Arguments: the database target as JSON, the file, and optionally `hang`.
 */
import { appendFileSync } from 'node:fs'
import { type DatabaseTarget, openDatabase } from '../../src/database/database.ts'
import { createInstance } from '../../src/operations/instance.ts'
import { createLocalQueue } from '../../src/queue/local/local-queue.ts'
import { aborted } from './queues.ts'

const [target = '', begunFile = '', mode] = process.argv.slice(2)
const database = openDatabase(JSON.parse(target) as DatabaseTarget)
const queue = createLocalQueue({ database, instance: createInstance(), pollMs: 100 })
queue.handle({
  kind: 'image.convert',
  async run({ imageId }, { signal }) {
    appendFileSync(begunFile, `${imageId}\n`)
    if (mode === 'hang') await aborted(signal)
  },
})

// Nothing ends the process but that nothing is left to do: a forgotten timer would keep it alive.
process.once('SIGTERM', async () => {
  await queue.stop(10_000)
  await database.close()
})
await queue.start()
