/** `npm run reconvert -- --preset NAME`: makes renditions anew of images that are there already. */
import { existsSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { type Config, loadConfig } from '../../src/config.ts'
import type { Preset } from '../../src/conversion/contract.ts'
import { openDatabase } from '../../src/database/database.ts'
import { AppError } from '../../src/errors.ts'
import { createInstance } from '../../src/operations/instance.ts'
import type { JobQueue } from '../../src/queue/contract.ts'
import { createQueue } from '../../src/queue/create-queue.ts'
import { Progress } from '../support/progress.ts'
import { carryOut, type Outcome } from './carry-out.ts'
import { type Errand, failedErrand, presetErrand } from './errands.ts'

const usage = `usage: npm run reconvert -- --preset NAME | --all | --failed CODE  [--dry-run]`
const [exitLeft, exitUsage, exitInterrupted] = [1, 2, 130]

try {
  const options = readArguments()
  process.once('SIGINT', () => {
    console.log('\nWhat is queued goes on without this. The same command goes on with the rest.')
    process.exit(exitInterrupted)
  })
  await run(loadConfig(), options)
} catch (error) {
  if (!(error instanceof AppError)) throw error
  console.error(`landfall: ${error.message}`)
  process.exitCode = exitUsage
}

interface Options {
  readonly preset?: string | undefined
  readonly all: boolean
  readonly failed?: string | undefined
  readonly 'dry-run': boolean
}

async function run(config: Config, options: Options): Promise<void> {
  const presets = chosenPresets(config, options)
  checkThere(config)
  const database = openDatabase(config.database)
  let queue: JobQueue | undefined
  try {
    await database.check()
    queue = await createQueue({ database, instance: createInstance() })
    await queue.prepare()
    const dependencies = { database, queue }
    const errands =
      options.failed === undefined
        ? presets.map((preset) => presetErrand(dependencies, preset))
        : [failedErrand(dependencies, options.failed)]
    for (const errand of errands) {
      const total = await errand.count()
      console.log(`${count(total)} ${errand.what}`)
      if (total === 0 || options['dry-run']) continue
      const progress = new Progress(total, String)
      const outcome = await carryOut(errand, {
        database,
        queue,
        onProgress: (done) => progress.update(Math.min(done, total)),
        onSilence: () =>
          progress.note('nothing happens: does a server run on this database? It is waited for.'),
      })
      progress.end()
      report(errand, outcome)
    }
  } finally {
    await queue?.stop(0)
    await database.close()
  }
}

/** Opening it would make an empty one. */
function checkThere({ database }: Config): void {
  if (database.kind === 'postgres' || existsSync(database.file)) return
  throw new AppError('no-database', 404, `DATA_DIR: there is no database at ${database.file}`)
}

function report({ kind }: Errand, { done, inVain, untouched, died }: Outcome): void {
  console.log(`  done: ${done}`)
  if (inVain > 0) console.log(`  failed again: ${inVain}`)
  if (died > 0) console.log(`  jobs that died: ${died}; why is written with the jobs (${kind})`)
  if (untouched > died) {
    console.log(
      `  left as they were: ${untouched - died}. The server has other presets than this command: start it with the same PRESETS_FILE, and the same release.`,
    )
  }
  if (untouched > 0 || died > 0) process.exitCode = exitLeft
}

function chosenPresets({ conversion }: Config, { preset: name }: Options): readonly Preset[] {
  if (name === undefined) return conversion.presets
  const preset = conversion.presets.find((one) => one.name === name)
  if (preset) return [preset]
  const names = conversion.presets.map((one) => one.name).join(', ')
  throw new AppError('no-such-preset', 404, `--preset ${name}: expected one of ${names}`)
}

function count(images: number): string {
  return images === 1 ? '1 image' : `${images} images`
}

function readArguments(): Options {
  try {
    const { values } = parseArgs({
      options: {
        preset: { type: 'string' },
        all: { type: 'boolean', default: false },
        failed: { type: 'string' },
        'dry-run': { type: 'boolean', default: false },
      },
    })
    const chosen = [values.preset, values.all || undefined, values.failed]
    if (chosen.filter((each) => each !== undefined).length !== 1) throw new Error('one of three')
    return values
  } catch {
    throw new AppError('usage', 400, usage)
  }
}
