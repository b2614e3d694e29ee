/**
 * Preloaded into a server (`--import`): measures how late its event loop is, and on SIGUSR2 writes
 * what it measured since the last time into the file that LANDFALL_BENCH_DELAY names.
 */
import { renameSync, writeFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { isMainThread } from 'node:worker_threads'

/** Milliseconds between two looks; a look that comes in time is this late for Node's histogram. */
const resolution = 10

const file = process.env.LANDFALL_BENCH_DELAY
if (file !== undefined && isMainThread) {
  const histogram = monitorEventLoopDelay({ resolution })
  const late = (nanoseconds: number) => Math.max(0, nanoseconds / 1e6 - resolution)
  histogram.enable()
  process.on('SIGUSR2', () => {
    const measured = {
      p50: late(histogram.percentile(50)),
      p99: late(histogram.percentile(99)),
      max: late(histogram.max),
    }
    writeFileSync(`${file}.new`, JSON.stringify(measured))
    renameSync(`${file}.new`, file)
    histogram.reset()
  })
}
