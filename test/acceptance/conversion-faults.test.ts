/** What conversions need goes away under them: storage, room on the disk, the database. */
import { rm, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type ConversionStand, s3Stand, standIn } from '../support/conversion-stand.ts'
import { expectConvertedOnce, isSettled, untilSettled } from '../support/converted-once.ts'
import { makePhoto } from '../support/photo.ts'
import type { Program } from '../support/program.ts'
import type { Fault, S3Operation } from '../support/s3-faults.ts'
import { mountSmall } from '../support/small-disk.ts'
import { sendPhotos } from '../support/small-photos.ts'
import { sendFile } from '../support/tus-file.ts'
import { waitFor } from '../support/wait.ts'

const minute = 60_000
const kibibyte = 2 ** 10
const photos = 24
const settings = { CONVERSION_CONCURRENCY: '2' }

const away = { status: 503, code: 'SlowDown' } as const
const broken = { status: 500, code: 'InternalError' } as const

/** One kind after the other, each so often that the client's own retries do not hide it. */
const storageFaults: readonly { operation: S3Operation; kinds: readonly [Fault, number][] }[] = [
  {
    operation: 'GetObject',
    kinds: [
      [away, 10],
      ['drop-before', 10],
      ['truncate-answer', 5],
      ['corrupt-answer', 5],
    ],
  },
  {
    operation: 'PutObject',
    kinds: [
      [away, 10],
      [broken, 10],
      ['drop-before', 10],
      ['drop-after', 10],
      ['truncate-request', 10],
      ['corrupt-request', 5],
    ],
  },
]

describe.concurrent('storage that fails while images are converted', () => {
  it.each(storageFaults)(
    '($operation): all are ready once it is over',
    async ({ operation, kinds }) => {
      await using stand = await s3Stand.create()
      const { program, ids, faults } = await held(stand, photos)
      faults.clear()
      let all = 0
      for (const [fault, times] of kinds) {
        faults.fail({ operation, fault, after: all, times })
        all += times
      }
      const isThrough = async () => faults.injected(operation) >= all || (await isOver(stand, ids))
      await waitFor(isThrough, { timeoutMs: 2 * minute, what: 'the faults' })
      expect(faults.injected(operation)).toBe(all)
      await untilSettled(stand, ids)
      await expectConvertedOnce(stand, ids)
      expect((await program.stop()).code).toBe(0)
    },
    4 * minute,
  )

  it(
    'for all requests, without an answer to any: all are ready once it is over',
    async () => {
      await using stand = await s3Stand.create()
      const { program, ids, faults } = await held(stand, photos)
      faults.clear()
      await untilSome(stand, ids)
      faults.fail({ operation: 'any', fault: 'hang' })
      await waitFor(() => faults.injected() >= 2, { what: 'requests without an answer' })
      faults.heal()
      faults.endHangs()
      await untilSettled(stand, ids)
      await expectConvertedOnce(stand, ids)
      expect((await program.stop()).code).toBe(0)
    },
    3 * minute,
  )
})

describe.concurrent('a database that goes away while images are converted', () => {
  it.each(['cut off', 'silent'])(
    '(%s): all are ready once it is back',
    async (how) => {
      await using stand = await s3Stand.create()
      const { program, ids, faults } = await held(stand, photos)
      faults.clear()
      await untilSome(stand, ids)
      if (how === 'silent') stand.databaseAccess?.silence()
      else await stand.databaseAccess?.cut()
      await waitFor(() => troubles(program, /database/) > 1, {
        timeoutMs: 2 * minute,
        what: 'the outage to be noticed',
      })
      stand.databaseAccess?.restore()
      await untilSettled(stand, ids)
      await expectConvertedOnce(stand, ids)
      expect((await program.stop()).code).toBe(0)
    },
    4 * minute,
  )
})

describe.concurrent('a disk that is full while images are converted', () => {
  it.for([512 * kibibyte, 0])(
    '(%d bytes are left): all are ready once there is room',
    { timeout: 4 * minute },
    async (left, { skip }) => {
      using disk = mountSmall(96)
      if ('missing' in disk) return skip(disk.missing)
      await using stand = await standIn(disk.directory)
      const program = await stand.start(settings)
      const ids: string[] = []
      for (const grain of [16, 17]) {
        ids.push(await sendFile(program.url, await makePhoto({ grain }), { filename: 'photo.jpg' }))
      }
      const ballast = join(disk.directory, 'ballast')
      await fill(disk.directory, ballast, left)
      const { images } = await stand.records()
      expect(ids.some((id) => !isSettled(images.get(id)))).toBe(true)
      await waitFor(() => troubles(program, /room|ENOSPC|full/) > 0, {
        what: 'the full disk to be noticed',
      })
      await rm(ballast)
      await untilSettled(stand, ids)
      await expectConvertedOnce(stand, ids)
      expect((await program.stop()).code).toBe(0)
    },
  )
})

/**
 * A server that has images to convert and cannot get at any of them yet: what is to happen to the
 * conversions is settled before the first of them begins.
 */
async function held(stand: ConversionStand, count: number) {
  const { faults } = stand
  if (!faults) throw new Error('there is no storage that could fail')
  const program = await stand.start(settings)
  faults.fail({ operation: 'GetObject', fault: away })
  const ids = await sendPhotos(program.url, count)
  return { program, ids, faults }
}

async function untilSome(stand: ConversionStand, ids: readonly string[]): Promise<void> {
  const some = async () => {
    const { images } = await stand.records()
    return ids.filter((id) => isSettled(images.get(id))).length >= 3
  }
  await waitFor(some, { timeoutMs: minute, intervalMs: 20, what: 'the first images' })
  expect(await isOver(stand, ids), 'all were converted before anything could go wrong').toBe(false)
}

async function isOver(stand: ConversionStand, ids: readonly string[]): Promise<boolean> {
  const { images } = await stand.records()
  return ids.every((id) => isSettled(images.get(id)))
}

/** How many warnings and errors speak of something. */
function troubles({ logs }: Program, of: RegExp): number {
  return logs.filter((line) => Number(line.level) >= 40 && of.test(JSON.stringify(line))).length
}

/** Writes to `ballast` until only so many bytes are left. */
async function fill(directory: string, ballast: string, left: number): Promise<void> {
  const { bavail, bsize } = await statfs(directory)
  await writeFile(ballast, Buffer.alloc(bavail * bsize - left))
}
