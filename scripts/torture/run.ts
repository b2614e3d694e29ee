/**
 * `npm run torture [-- --seconds 60 --storage s3]`: uploads under random faults and kill -9, and
 * checks that what was acknowledged arrives, unchanged. Exit code 1 says that a promise was broken.
 */
import { readOptions, type TortureOptions, usage } from './options.ts'
import { summaryLines } from './report.ts'
import { type Narrator, torture } from './torture.ts'
import { Violation } from './watch.ts'

const keptEvents = 60
const shownLog = 60
const timeLength = '12:34:56.789'.length

const options = read()
const interruption = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => interruption.abort(new Error(`interrupted by ${signal}`)))
}

const events: string[] = []
const narrator: Narrator = {
  say: (line) => console.log(line),
  remember(event) {
    events.push(`${new Date().toISOString().slice(11, 23)}  * ${event}`)
    if (events.length > keptEvents) events.shift()
  },
  logOf: () => [],
}

console.log(`${describe(options)}\n`)
try {
  const summary = await torture(options, narrator, interruption.signal)
  console.log(`\n${summaryLines(summary).join('\n')}`)
  console.log(`\nEvery promise was kept (seed ${options.seed}).`)
} catch (error) {
  report(error)
  process.exitCode = 1
}
process.exit()

function read(): TortureOptions {
  try {
    return readOptions(process.argv.slice(2))
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    console.error(usage)
    process.exit(2)
  }
}

function describe({ storage, database, endpoint, seed, clients, goals }: TortureOptions): string {
  const wanted = Object.entries(goals).filter(([, goal]) => goal > 0)
  const until = wanted.map(([name, goal]) => `${goal} ${name}`).join(', ')
  const where = storage === 's3' ? `S3 at ${endpoint ?? 'a process of its own'}` : 'disk'
  return `torture: ${where}, ${database}, ${clients} clients, until ${until}; seed ${seed}`
}

/** Both kinds of lines begin with the time; those of the same moment stay in their order. */
function byTime(one: string, other: string): number {
  return one.slice(0, timeLength).localeCompare(other.slice(0, timeLength))
}

function report(error: unknown): void {
  if (interruption.signal.aborted) {
    console.error(`\nNot finished: ${interruption.signal.reason.message}`)
    return
  }
  if (!(error instanceof Violation)) {
    console.error(`\nThe torture failed: ${error instanceof Error ? error.stack : String(error)}`)
    return
  }
  const { watch } = error
  const history = [...(watch?.history ?? []), ...events].sort(byTime)
  const log = narrator.logOf(watch?.id ?? '').slice(-shownLog)
  console.error(`\nA promise was broken: ${error.message}\n\nseed ${options.seed}\n`)
  console.error(`What happened:\n${history.join('\n')}\n`)
  if (log.length > 0)
    console.error(`What the server logged about it, and its errors:\n${log.join('\n')}\n`)
}
