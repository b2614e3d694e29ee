import { type Application, compose } from './compose.ts'
import { loadConfig } from './config.ts'
import { AppError } from './errors.ts'

/** Something the operator can put right: a setting, or what a setting points at. */
const exitUnusable = 2
const exitFailure = 1
const exitInterrupted = 130

async function run(): Promise<void> {
  const application = await compose(loadConfig())
  stopOnSignals(application)
  await application.start()
}

function stopOnSignals(application: Application): void {
  let stopping = false
  const onSignal = () => {
    if (stopping) process.exit(exitInterrupted)
    stopping = true
    application.stop().then(
      (clean) => process.exit(clean ? 0 : exitFailure),
      () => process.exit(exitFailure),
    )
  }
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
}

try {
  await run()
} catch (error) {
  const known = error instanceof AppError
  process.stderr.write(
    `landfall: ${known ? error.message : error instanceof Error ? error.stack : error}\n`,
  )
  process.exit(known ? exitUnusable : exitFailure)
}
