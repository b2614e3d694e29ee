import { type Application, compose } from './compose.ts'
import { loadConfig } from './config.ts'
import { AppError } from './errors.ts'

/** Something the operator can put right: a setting, or what a setting points at. */
const exitUnusable = 2
const exitFailure = 1
const exitInterrupted = 130

async function run(): Promise<void> {
  const application = await compose(loadConfig())
  const stopping = stopOnSignals(application)
  try {
    await application.start()
  } catch (error) {
    // Stopping takes away what starting was about to use.
    if (!stopping.aborted) throw error
  }
}

/** The first signal stops the application in its phases, the second ends the program at once. */
function stopOnSignals(application: Application): AbortSignal {
  const stopping = new AbortController()
  const onSignal = () => {
    if (stopping.signal.aborted) process.exit(exitInterrupted)
    stopping.abort()
    application.stop().then(
      (clean) => process.exit(clean ? 0 : exitFailure),
      () => process.exit(exitFailure),
    )
  }
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
  return stopping.signal
}

/** One line for what the operator can put right, everything there is for what nobody foresaw. */
function describe(error: unknown): string {
  if (error instanceof AppError) return error.message
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

try {
  await run()
} catch (error) {
  process.stderr.write(`landfall: ${describe(error)}\n`)
  process.exit(error instanceof AppError ? exitUnusable : exitFailure)
}
