/** `npm run bench [-- lane… --size 512MiB --count 200 --rounds 3]`: measures Landfall beside others, on loopback. */
import { cpus, release, totalmem, type } from 'node:os'
import { parseArgs } from 'node:util'
import { formatBytes } from '../support/text.ts'
import type { Lane } from './lane.ts'
import { lanes } from './lanes.ts'

const usage =
  'usage: npm run bench [-- lane… --size 512MiB --count 200 --rounds 3 --s3-latency 0 (milliseconds a call) --auth]'

// Leaving through `exit` takes the servers and their files along.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1))

const { chosen, size, count, rounds, s3LatencyMs, auth } = readArguments()

const [cpu] = cpus()
console.log(
  `${cpus().length} × ${cpu?.model.trim()}, ${formatBytes(totalmem())} memory, ${type()} ${release()}, Node ${process.versions.node}`,
)
for (const lane of chosen) {
  const laneSize = lane.usualSize && (size ?? lane.usualSize)
  const laneCount = lane.usualCount && (count ?? lane.usualCount)
  const conditions = [
    laneSize && formatBytes(laneSize),
    laneCount && `count: ${laneCount}`,
    `rounds: ${rounds}`,
    s3LatencyMs > 0 && `${s3LatencyMs} ms a call to S3`,
  ]
  console.log(`\n${lane.name}: ${lane.description}, ${conditions.filter(Boolean).join(', ')}`)
  await lane.run({ size: laneSize ?? 0, count: laneCount ?? 0, rounds, s3LatencyMs, auth })
}

function readArguments() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        size: { type: 'string' },
        count: { type: 'string' },
        rounds: { type: 'string', default: '3' },
        's3-latency': { type: 'string', default: '0' },
        auth: { type: 'boolean', default: false },
      },
    })
    return {
      chosen: positionals.length > 0 ? positionals.map(laneNamed) : lanes,
      size: values.size === undefined ? undefined : parseMebibytes(values.size),
      count: values.count === undefined ? undefined : parseCount(values.count),
      rounds: parseRounds(values.rounds),
      s3LatencyMs: parseLatency(values['s3-latency']),
      auth: values.auth,
    }
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    console.error(usage)
    process.exit(2)
  }
}

function parseRounds(text: string): number {
  if (/^[1-9]\d?$/.test(text)) return Number(text)
  throw new Error(`--rounds ${text}: expected a number from 1 to 99`)
}

function parseCount(text: string): number {
  if (/^[1-9]\d{0,6}$/.test(text)) return Number(text)
  throw new Error(`--count ${text}: expected a number from 1 to 9999999`)
}

function parseLatency(text: string): number {
  if (/^\d{1,4}$/.test(text)) return Number(text)
  throw new Error(`--s3-latency ${text}: expected milliseconds, from 0 to 9999`)
}

function laneNamed(name: string): Lane {
  const lane = lanes.find((one) => one.name === name)
  if (lane) return lane
  throw new Error(`no lane ${name}; there are ${lanes.map((one) => one.name).join(', ')}`)
}

function parseMebibytes(text: string): number {
  const [, amount, unit] = /^([1-9]\d*)(MiB|GiB)$/.exec(text) ?? []
  if (amount === undefined)
    throw new Error(`--size ${text}: expected a size such as 512MiB or 1GiB`)
  return Number(amount) * 1024 ** (unit === 'GiB' ? 3 : 2)
}
