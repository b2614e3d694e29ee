/**
 * Whatever is uploaded as an image ends as `ready` or as `failed` with a reason, and nothing else
 * suffers from it. With `TEST_CORPUS=full` all of the damaged files are tried, and those that take
 * long.
 */
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bitFlips, families } from '../fixtures/corpus/corpus.ts'
import type { Entry } from '../fixtures/corpus/entry.ts'
import { sha256Of } from '../support/api.ts'
import { diskStand, s3Stand } from '../support/conversion-stand.ts'
import { CorpusServer, type Tally } from '../support/corpus-server.ts'
import { isRunning, missingProcesses } from '../support/processes.ts'
import { uploadBuffer } from '../support/upload.ts'
import { waitFor } from '../support/wait.ts'

const minute = 60_000
const mebibyte = 2 ** 20
const isFull = process.env.TEST_CORPUS === 'full'
const flips = isFull ? 2_000 : 500
/** On S3, every so-manieth of each family. */
const stride = 6

if (missingProcesses) console.info(`the corpus: not tried. ${missingProcesses}`)
if (!isFull) {
  console.info(
    `the corpus: ${flips} damaged files, and none that takes long, to save minutes; TEST_CORPUS=full`,
  )
}

const kinds = [
  { kind: diskStand, step: 1, damaged: flips },
  { kind: s3Stand, step: stride, damaged: Math.ceil(flips / 10) },
]

describe.skipIf(missingProcesses).each(kinds)('on $kind.name', ({ kind, step, damaged }) => {
  let server: CorpusServer
  /** Of the server, when it had done some of everything. */
  let residentBefore = 0

  beforeAll(async () => {
    server = await CorpusServer.start(kind)
    await server.take(Object.values(families).flatMap(([first]) => first ?? []))
    await uploadFilm()
    residentBefore = server.residentBytes
  }, 3 * minute)
  afterAll(() => server?.[Symbol.asyncDispose]())

  it.each(Object.entries(families))(
    '%s end as they should',
    async (name, entries) => {
      const { wrong, tally } = await server.take(chosen(entries, step))
      report(name, tally)
      expect(wrong).toEqual([])
    },
    5 * minute,
  )

  it(
    'files with bits turned over end as something, and an upload beside them arrives',
    async () => {
      const alone = await uploadFilm()
      const [{ wrong, tally }, beside] = await Promise.all([
        server.take(bitFlips(damaged)),
        uploadFilm(),
      ])
      report('damaged files', tally)
      console.info(`an upload beside them took ${(beside / alone).toFixed(2)} × its time alone`)
      expect(wrong).toEqual([])
    },
    5 * minute,
  )

  it(
    'afterwards nothing is left: no process at work, no file, no memory, no word of trouble',
    async () => {
      await server.untilIdle()
      expect.soft(server.leftovers()).toEqual([])
      expect.soft(server.mostChildren).toBeLessThanOrEqual(server.concurrency)
      expect.soft(await server.stand.workFiles()).toEqual([])
      expect.soft(server.visits, 'requests to the web site').toBe(0)
      expect.soft(server.badLogLines).toEqual([])
      expect.soft(server.program.stderr).toBe('')
      // An idle process seldom gives back all at once what it had: this is 40 kB for each of the files.
      const enough = residentBefore + 96 * mebibyte
      await waitFor(() => server.residentBytes <= enough, { timeoutMs: minute }).catch(() => {})
      const resident = [residentBefore, server.residentBytes].map(inMebibytes).join(' → ')
      console.info(`${kind.name}, memory of the server: ${resident} MiB`)
      expect
        .soft(server.residentBytes, `memory of the server: ${resident} MiB`)
        .toBeLessThanOrEqual(enough)
      expect.soft((await server.program.stop()).code).toBe(0)
      expect.soft(server.children.filter(isRunning)).toEqual([])
      const { renditionKeys, images } = await server.stand.records()
      const originals = [...images.keys()].map((id) => `uploads/${id}`)
      expect.soft(await server.stand.storedKeys()).toEqual([...renditionKeys, ...originals].sort())
    },
    3 * minute,
  )

  /** Returns how long it took, in milliseconds. */
  async function uploadFilm(): Promise<number> {
    const film = randomBytes(64 * mebibyte)
    const began = performance.now()
    const { id } = await uploadBuffer(server.program.url, film, { chunkSize: 8 * mebibyte })
    const took = performance.now() - began
    expect(sha256Of(await server.api.content(id))).toBe(sha256Of(film))
    return took
  }

  function report(what: string, { ready, failed, seconds, slowest }: Tally): void {
    console.info(
      `${kind.name}, ${what}: ${ready} ready, ${failed} failed, ${seconds.toFixed(1)} s; ` +
        `${slowest.name} took ${slowest.seconds.toFixed(1)} s`,
    )
  }
})

function chosen(entries: readonly Entry[], step: number): readonly Entry[] {
  return entries.filter(({ isSlow = false }, index) => index % step === 0 && (isFull || !isSlow))
}

function inMebibytes(bytes: number): number {
  return Math.round(bytes / mebibyte)
}
