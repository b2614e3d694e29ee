/** `npm run demo [-- --s3]`: the main job, end to end, on a connection that keeps breaking. */
import { parseArgs } from 'node:util'
import { demo } from './demo.ts'

const limitMs = 5 * 60_000
const { s3 } = readArguments()

try {
  await using resources = new AsyncDisposableStack()
  await Promise.race([demo({ s3, resources }), interruption()])
  console.log('\nDone. The server and its data are gone again; `npm start` runs one that stays.')
} catch (error) {
  console.error(`\nThe demo failed: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
}
process.exit()

function readArguments(): { s3: boolean } {
  try {
    return parseArgs({ options: { s3: { type: 'boolean', default: false } } }).values
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    console.error('usage: npm run demo [-- --s3]')
    process.exit(2)
  }
}

function interruption(): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>()
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.once(signal, () => reject(new Error(`interrupted by ${signal}`)))
  }
  setTimeout(() => reject(new Error(`not done after ${limitMs / 60_000} minutes`)), limitMs)
  return promise
}
