/** Processes die in the middle of conversions: those that convert, and the server itself. */
import { describe, expect, it } from 'vitest'
import { Api } from '../support/api.ts'
import { type ConversionStand, diskStand, s3Stand } from '../support/conversion-stand.ts'
import { expectConvertedOnce, isSettled, untilSettled } from '../support/converted-once.ts'
import { freePort } from '../support/free-port.ts'
import { childrenOf, isRunning, missingProcesses } from '../support/processes.ts'
import { sendPhotos } from '../support/small-photos.ts'
import { waitFor } from '../support/wait.ts'

const minute = 60_000
const count = 200

if (missingProcesses) console.info(`kills of conversions: not tried. ${missingProcesses}`)

describe.skipIf(missingProcesses).each([diskStand, s3Stand])('on $name', ({ create }) => {
  it(
    `kill -9 of children and of the server amid ${count} jobs: each image is ready exactly once`,
    async () => {
      await using stand = await create()
      const settings = { PORT: String(await freePort()), CONVERSION_CONCURRENCY: '2' }
      const first = await stand.start(settings)
      const ids = await sendPhotos(first.url, count)
      await killChild(first.pid)
      await untilDone(stand, ids, 0.2)
      await killChild(first.pid)
      await untilPartlyStored(stand)
      const orphans = await killServer(first)

      const second = await stand.start(settings)
      await untilDone(stand, ids, 0.4)
      await killChild(second.pid)
      await untilDone(stand, ids, 0.5)
      await killChild(second.pid)
      await killChild(second.pid)
      await untilPartlyStored(stand)
      orphans.push(...(await killServer(second)))

      const third = await stand.start(settings)
      await untilDone(stand, ids, 0.7)
      await killChild(third.pid)
      await untilSettled(stand, ids)
      await expectConvertedOnce(stand, ids)
      await expectServed(third.url, ids)
      expect((await third.stop()).code).toBe(0)
      await waitFor(() => !orphans.some(isRunning), { what: 'children of killed servers to end' })
      await expectConvertedOnce(stand, ids)
    },
    4 * minute,
  )
})

/** Kills a child of the server that is there, or is about to be. */
async function killChild(server: number): Promise<void> {
  const [child] = await waitFor(
    () => {
      // One that works has used more of the processor than one that was started only.
      const [busiest] = childrenOf(server).sort((one, other) => other.ticks - one.ticks)
      return busiest && [busiest.pid]
    },
    { intervalMs: 5, what: 'a child process' },
  )
  if (child === undefined) throw new Error('there is no child process')
  process.kill(child, 'SIGKILL')
  await waitFor(() => !childrenOf(server).some(({ pid }) => pid === child), {
    intervalMs: 5,
    what: 'the child process to be gone',
  })
}

/** Returns the children that were there at its end. */
async function killServer(server: { readonly pid: number; kill(): Promise<unknown> }) {
  const children = childrenOf(server.pid).map(({ pid }) => pid)
  await server.kill()
  return children
}

async function untilDone(stand: ConversionStand, ids: readonly string[], share: number) {
  const done = async () => {
    const { images } = await stand.records()
    const settled = ids.filter((id) => isSettled(images.get(id))).length
    if (settled === ids.length) throw new Error('all is done: there is nothing to kill any more')
    return settled >= share * ids.length
  }
  await waitFor(done, { timeoutMs: 2 * minute, intervalMs: 20, what: `${share} of the images` })
}

/** Waits for a conversion that has stored some of its renditions, of which no record can tell yet. */
async function untilPartlyStored(stand: ConversionStand): Promise<void> {
  const { faults } = stand
  if (faults) {
    const { promise, resolve } = Promise.withResolvers<void>()
    faults.fail({ operation: 'PutObject', fault: 'hang-after', times: 1, onInjected: resolve })
    return promise.finally(() => faults.clear())
  }
  const isPartly = async () => {
    const perImage = new Map<string, number>()
    for (const key of await stand.storedKeys()) {
      const [, id] = /^images\/([^/]+)\//.exec(key) ?? []
      if (id !== undefined) perImage.set(id, (perImage.get(id) ?? 0) + 1)
    }
    const all = Math.max(...perImage.values())
    return [...perImage.values()].some((count) => count < all)
  }
  await waitFor(isPartly, { timeoutMs: minute, intervalMs: 1, what: 'a conversion that stores' })
}

/** One in ten is fetched in all its renditions. */
async function expectServed(url: string, ids: readonly string[]): Promise<void> {
  const api = new Api({ url })
  for (const id of ids.filter((_, index) => index % 10 === 0)) {
    for (const rendition of (await api.image(id)).renditions) {
      expect(await api.bytes(rendition.url)).toHaveLength(rendition.size)
    }
  }
}
