import { parseDuration, parseSize, type Setting } from '../settings.ts'

const MiB = 2 ** 20
/** Less, and not even one part of a large upload fits beside others. */
const leastMemory = 16 * MiB

export const uploadSettings = {
  maxSize: {
    name: 'MAX_UPLOAD_SIZE',
    default: '5TiB',
    expected: 'a size such as 500MiB or 5GiB',
    description: 'The largest upload accepted, in bytes or with KiB, MiB, GiB, TiB.',
    parse: (raw) => parseSize(raw) || undefined,
  } satisfies Setting<number>,
  expiresIn: {
    name: 'UPLOAD_EXPIRES_IN',
    default: '24h',
    expected: 'a time such as 90s, 15m, 24h or 7d',
    description:
      'How long an unfinished upload is kept after its last progress; then it is gone (410).',
    parse: (raw) => parseDuration(raw) || undefined,
  } satisfies Setting<number>,
  memory: {
    name: 'UPLOAD_MEMORY',
    default: '96MiB',
    expected: 'a size of at least 16MiB',
    description:
      'Memory for bytes on their way to S3, for all uploads together; what exceeds it waits in the network.',
    parse: (raw) => {
      const bytes = parseSize(raw)
      return bytes !== undefined && bytes >= leastMemory ? bytes : undefined
    },
  } satisfies Setting<number>,
}
