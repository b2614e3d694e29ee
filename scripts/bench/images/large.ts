import { temporaryDirectory } from '../../../test/support/temporary-directory.ts'
import { type Column, compare } from '../compare.ts'
import { delayColumns, type EventLoopDelay } from '../event-loop/delay.ts'
import type { Lane } from '../lane.ts'
import { type Metered, meter } from '../meter.ts'
import { type TreeMemory, watchTree } from '../tree-memory.ts'
import { bareImages, type ImageContestant, landfallImages } from './contestants.ts'
import { largePhoto, writePhotos } from './photos.ts'

const mebibyte = 2 ** 20

interface Measurement {
  /** Of the first photograph: the process that converts has to start. */
  readonly first: Metered
  /** Of another one. */
  readonly again: Metered
  readonly memory: TreeMemory
  readonly delay: EventLoopDelay
  readonly renditionBytes: number
}

/** One photograph after the other; what is measured begins when the upload is acknowledged. */
export const imagesLarge: Lane = {
  name: 'images-large',
  description:
    'a JPEG of 100 megapixels into the default presets, from the end of its upload until it is ready',
  usualSize: undefined,
  async run({ rounds }) {
    await compare({
      contestants: [landfallImages, bareImages],
      rounds,
      columns,
      measure,
    })
  },
}

const columns: readonly Column<Measurement>[] = [
  { title: 's', value: ({ again }) => again.seconds },
  { title: 'CPU s', value: ({ again }) => again.cpuSeconds },
  { title: 'first s', value: ({ first }) => first.seconds },
  { title: 'CPU s', value: ({ first }) => first.cpuSeconds },
  { title: 'tree RSS MiB', value: ({ memory }) => memory.peakRssBytes / mebibyte },
  { title: 'PSS', value: ({ memory }) => memory.peakPssBytes / mebibyte },
  ...delayColumns,
  { title: 'KiB out', value: ({ renditionBytes }) => renditionBytes / 1024 },
  { title: 'cores: others', value: ({ again }) => again.busy.others },
]

async function measure(contestant: ImageContestant): Promise<Measurement> {
  await using directory = await temporaryDirectory()
  const files = await writePhotos(directory.path, [largePhoto], 2)
  await using converter = await contestant.start(1)
  using watch = watchTree(converter.pid)
  await converter.delay.take()
  let renditionBytes = 0
  const convert = async (file: string | undefined) => {
    const convertNow = await converter.bring(file === undefined ? [] : [file])
    return meter(converter, async () => {
      renditionBytes = await convertNow()
    })
  }
  const first = await convert(files[0])
  const again = await convert(files[1])
  const delay = await converter.delay.take()
  return { first, again, memory: watch.memory, delay, renditionBytes }
}
