/**
 * A process that works on the queue of a database until SIGTERM. Appends `+` and the image's id to a
 * file when it begins with one, and `-` and the id when it is done with it; `=` before all that.
 *
 * Arguments: the database target as JSON, the file, and how long a job takes in milliseconds (`hang`:
 * for ever).
 */
import { appendFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { type DatabaseTarget, openDatabase } from '../../src/database/database.ts'
import { createInstance } from '../../src/operations/instance.ts'
import { createQueue } from '../../src/queue/create-queue.ts'
import { aborted } from './queues.ts'

const [target = '', file = '', takes = '0'] = process.argv.slice(2)
const database = openDatabase(JSON.parse(target) as DatabaseTarget)
const queue = await createQueue({ database, instance: createInstance(), pollMs: 100 })
queue.handle({
  kind: 'image.convert',
  async run({ imageId }, { signal }) {
    appendFileSync(file, `+${imageId}\n`)
    if (takes === 'hang') await aborted(signal)
    else if (takes !== '0') await delay(Number(takes))
    appendFileSync(file, `-${imageId}\n`)
  },
})

// Nothing ends the process but that nothing is left to do: a forgotten timer would keep it alive.
process.once('SIGTERM', async () => {
  await queue.stop(10_000)
  await database.close()
})
await queue.prepare()
appendFileSync(file, '= is ready\n')
await queue.start()
