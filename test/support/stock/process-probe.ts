/**
 * Loaded into a server before anything else (`--import`): tells what goes on in its process each
 * time it gets SIGUSR2, in a line on standard error.
 */
import { performance } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collectGarbage: unknown = runInNewContext('gc')

process.on('SIGUSR2', () => {
  if (typeof collectGarbage === 'function') collectGarbage()
  const report = {
    turns: performance.nodeTiming.uvMetricsInfo.loopCount,
    heapBytes: process.memoryUsage().heapUsed,
  }
  console.error(`probe ${JSON.stringify(report)}`)
})
