import { parseInteger, parseSize, type Setting } from '../settings.ts'

const mostAtOnce = 64
const leastMemory = 256 * 2 ** 20

export const conversionSettings = {
  concurrency: {
    name: 'CONVERSION_CONCURRENCY',
    expected: `a whole number from 1 to ${mostAtOnce}`,
    description: 'Images converted at a time, each in its own process; unset: one per core.',
    parse: parseInteger(1, mostAtOnce),
  } satisfies Setting<number>,
  memory: {
    name: 'CONVERSION_MEMORY',
    default: '1GiB',
    expected: 'a size of at least 256MiB, such as 512MiB or 2GiB',
    description:
      'Memory that conversions at work may need, all together: an image waits until there is room for it, and is refused if it needs more alone. By the default presets a photo needs about 300 MiB, so three are converted at a time, however high `CONVERSION_CONCURRENCY` is.',
    parse: (raw) => {
      const bytes = parseSize(raw)
      return bytes !== undefined && bytes >= leastMemory ? bytes : undefined
    },
  } satisfies Setting<number>,
  presetsFile: {
    name: 'PRESETS_FILE',
    expected: 'the path of a file with presets',
    description: 'A JSON file with presets of your own; unset: the default ones.',
    parse: (raw) => raw,
  } satisfies Setting<string>,
}
