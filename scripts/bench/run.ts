/** `npm run bench [-- lane… --size 512MiB --rounds 3]`: measures Landfall beside others, on loopback. */
import { cpus, release, totalmem, type } from 'node:os'
import { parseArgs } from 'node:util'
import { formatBytes } from '../support/text.ts'
import { diskUpload } from './disk-upload.ts'
import type { Lane } from './lane.ts'

const lanes: readonly Lane[] = [
  diskUpload('disk-upload', Number.MAX_SAFE_INTEGER, 'in one request'),
  diskUpload('disk-upload-chunks', 8 * 1024 * 1024, 'in requests of 8 MiB'),
]

// Leaving through `exit` takes the servers and their files along.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))

const { chosen, size, rounds } = readArguments()

const [cpu] = cpus()
console.log(
  `${cpus().length} × ${cpu?.model.trim()}, ${formatBytes(totalmem())} memory, ${type()} ${release()}, Node ${process.versions.node}`,
)
for (const lane of chosen) {
  console.log(`\n${lane.name}: ${lane.description}, ${formatBytes(size)}, rounds: ${rounds}`)
  await lane.run({ size, rounds })
}

function readArguments() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        size: { type: 'string', default: '512MiB' },
        rounds: { type: 'string', default: '3' },
      },
    })
    return {
      chosen: positionals.length > 0 ? positionals.map(laneNamed) : lanes,
      size: parseMebibytes(values.size),
      rounds: parseRounds(values.rounds),
    }
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    console.error('usage: npm run bench [-- lane… --size 512MiB --rounds 3]')
    process.exit(2)
  }
}

function parseRounds(text: string): number {
  if (/^[1-9]\d?$/.test(text)) return Number(text)
  throw new Error(`--rounds ${text}: expected a number from 1 to 99`)
}

function laneNamed(name: string): Lane {
  const lane = lanes.find((one) => one.name === name)
  if (lane) return lane
  throw new Error(`no lane ${name}; there are ${lanes.map((one) => one.name).join(', ')}`)
}

function parseMebibytes(text: string): number {
  const [, amount, unit] = /^(\d+)(MiB|GiB)$/.exec(text) ?? []
  if (amount === undefined)
    throw new Error(`--size ${text}: expected a size such as 512MiB or 1GiB`)
  return Number(amount) * 1024 ** (unit === 'GiB' ? 3 : 2)
}
