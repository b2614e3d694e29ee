import { temporaryDirectory } from '../../../test/support/temporary-directory.ts'
import { type Column, compare } from '../compare.ts'
import { delayColumns, type EventLoopDelay } from '../event-loop/delay.ts'
import type { Lane } from '../lane.ts'
import { busyColumns, type Metered, meter } from '../meter.ts'
import { type TreeMemory, watchTree } from '../tree-memory.ts'
import { bareImages, type ImageContestant, landfallImages } from './contestants.ts'
import { phonePhotos, writePhotos } from './photos.ts'

const mebibyte = 2 ** 20
const concurrency = 2
const usualCount = 200

interface Measurement extends Metered {
  readonly count: number
  readonly memory: TreeMemory
  readonly delay: EventLoopDelay
  readonly renditionBytes: number
}

/** All of it counts, also the uploads: they go on while the first ones are converted. */
export const imagesBatch: Lane = {
  name: 'images-batch',
  description: `photos of 12 megapixels into the default presets, ${concurrency} at a time, uploads included`,
  usualSize: undefined,
  usualCount,
  async run({ rounds, count }) {
    await using directory = await temporaryDirectory()
    const files = await writePhotos(directory.path, phonePhotos, count)
    await compare({
      contestants: [landfallImages, bareImages],
      rounds,
      columns,
      measure: (contestant) => measure(contestant, files),
    })
  },
}

const columns: readonly Column<Measurement>[] = [
  { title: 'images/s', value: ({ count, seconds }) => count / seconds },
  { title: 's', value: ({ seconds }) => seconds },
  { title: 'CPU s', value: ({ cpuSeconds }) => cpuSeconds },
  { title: 'tree RSS MiB', value: ({ memory }) => memory.peakRssBytes / mebibyte },
  { title: 'PSS', value: ({ memory }) => memory.peakPssBytes / mebibyte },
  ...delayColumns,
  { title: 'MiB out', value: ({ renditionBytes }) => renditionBytes / mebibyte },
  ...busyColumns,
]

async function measure(
  contestant: ImageContestant,
  files: readonly string[],
): Promise<Measurement> {
  await using converter = await contestant.start(concurrency)
  using watch = watchTree(converter.pid)
  await converter.delay.take()
  let renditionBytes = 0
  const metered = await meter(converter, async () => {
    const convertAll = await converter.bring(files)
    renditionBytes = await convertAll()
  })
  const delay = await converter.delay.take()
  return { ...metered, count: files.length, memory: watch.memory, delay, renditionBytes }
}
