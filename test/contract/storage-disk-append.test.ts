import { readdirSync, readlinkSync } from 'node:fs'
import { readFile, rename, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  contentOf,
  digestOf,
  inChunks,
  MiB,
  sha256,
  startDisk,
  TestLedger,
} from '../support/storage.ts'
import { waitFor } from '../support/wait.ts'

const soon = { intervalMs: 1 }
const crash = new Error('crash')

describe('appending to an upload on the disk', () => {
  let disk: Awaited<ReturnType<typeof startDisk>>

  beforeAll(async () => {
    disk = await startDisk()
  })
  afterAll(() => disk?.close())

  const wholePath = (ledger: TestLedger) => join(disk.directory, ledger.key)
  const partialPath = (ledger: TestLedger) => `${wholePath(ledger)}.partial`
  const sizeInFile = (ledger: TestLedger) =>
    stat(partialPath(ledger)).then(
      ({ size }) => size,
      () => 0,
    )

  async function expectStored(ledger: TestLedger, content: Buffer): Promise<void> {
    expect(await digestOf(disk.storage, ledger.key)).toBe(sha256(content))
    expect(await disk.listKeys(ledger.key)).toEqual([ledger.key])
  }

  it('writes what a slow client sent while it is silent', async () => {
    const content = contentOf(3_000)
    const ledger = new TestLedger(content.length)
    async function* body() {
      for (let sent = 0; sent < content.length; sent += 1_000) {
        yield content.subarray(sent, sent + 1_000)
        if (sent === 2_000) return
        await waitFor(async () => (await sizeInFile(ledger)) === sent + 1_000, soon)
      }
    }
    expect(await ledger.appendBody(disk.storage, body())).toBe(content.length)
    await expectStored(ledger, content)
  })

  it('takes chunks of any size, one byte or many MiB', async () => {
    for (const [size, chunk] of [
      [5_000, 1],
      [40 * MiB, 40 * MiB],
    ] as const) {
      const content = contentOf(size)
      const ledger = new TestLedger(size)
      await ledger.append(disk.storage, content, size, chunk)
      const offsets = ledger.records.map(({ offset }) => offset)
      const steps = offsets.map((offset, index) => offset - (offsets[index - 1] ?? 0))
      expect(Math.max(...steps)).toBeLessThanOrEqual(16 * MiB)
      await expectStored(ledger, content)
    }
  })

  it('ends at once when the lease is lost while the client is silent', async () => {
    const ledger = new TestLedger(10_000)
    const lease = new AbortController()
    const reason = new Error('the lease is lost')
    async function* body() {
      yield contentOf(1_000)
      await waitFor(async () => (await sizeInFile(ledger)) === 1_000, soon)
      expect(openFiles()).toContain(partialPath(ledger))
      lease.abort(reason)
      await new Promise(() => {})
    }
    const appended = ledger.appendBody(disk.storage, body(), lease.signal)
    await expect(appended).rejects.toBe(reason)
    expect(ledger.records).toEqual([])
    expect(openFiles()).not.toContain(partialPath(ledger))
  })

  it('stores nothing when the lease is lost already', async () => {
    const ledger = new TestLedger(1_000)
    const reason = new Error('the lease is lost')
    const body = inChunks(contentOf(1_000))
    const appended = ledger.appendBody(disk.storage, body, AbortSignal.abort(reason))
    await expect(appended).rejects.toBe(reason)
    expect(ledger.records).toEqual([])
    expect(await disk.listKeys(ledger.key)).toEqual([])
  })

  it('closes its file however it ends', async () => {
    for (const [error, beforeRecord] of [
      [undefined, () => {}],
      [new Error('gone'), () => {}],
      [crash, () => Promise.reject(crash)],
    ] as const) {
      const ledger = new TestLedger(5_000)
      ledger.beforeRecord = beforeRecord
      const body = inChunks(contentOf(1_000), 100, error)
      await ledger.appendBody(disk.storage, body).catch((thrown) => expect(thrown).toBe(error))
      expect(openFiles()).not.toContain(partialPath(ledger))
    }
  })

  it('closes a file that is too short', async () => {
    const ledger = new TestLedger(5_000)
    await ledger.append(disk.storage, contentOf(5_000), 1_000)
    await truncate(partialPath(ledger), 999)
    await expect(ledger.append(disk.storage, contentOf(5_000))).rejects.toMatchObject({
      code: 'upload-lost',
    })
    expect(openFiles()).not.toContain(partialPath(ledger))
  })

  it('leaves alone what a crash left when the lease is lost on the way', async () => {
    const ledger = new TestLedger(5_000)
    const left = contentOf(700, 2)
    await disk.storage.put(`${ledger.key}.partial`, left, 'application/octet-stream')
    const lease = new AbortController()
    const reason = new Error('the lease is lost')
    ledger.beforeRecord = () => lease.abort(reason)
    const appended = ledger.appendBody(disk.storage, inChunks(contentOf(5_000)), lease.signal)
    await expect(appended).rejects.toBe(reason)
    expect(await readFile(partialPath(ledger))).toEqual(left)
  })

  it.each([0, 1_000])('destroys nothing from the stale offset %i', async (offset) => {
    const content = contentOf(5_000)
    const ledger = new TestLedger(content.length)
    await ledger.append(disk.storage, content, 1_000)
    const stale = { ...ledger.position, offset }
    await ledger.append(disk.storage, content, 3_000)
    const appendStale = () =>
      disk.storage.append(
        stale,
        inChunks(contentOf(500, 2)),
        ledger.record,
        new AbortController().signal,
      )
    await expect(appendStale()).rejects.toThrow('the offset went down')
    expect(await readFile(partialPath(ledger))).toEqual(content.subarray(0, 3_000))
    await ledger.append(disk.storage, content)
    if (offset > 0) await expect(appendStale()).rejects.toThrow('the offset went down')
    await expectStored(ledger, content)
  })

  it('goes on after a crash between the last rename and the ledger', async () => {
    for (const recorded of [0, 1_000]) {
      const content = contentOf(5_000)
      const ledger = new TestLedger(content.length)
      await ledger.append(disk.storage, content, recorded)
      ledger.beforeRecord = ({ whole }) => {
        if (whole) throw crash
      }
      await expect(ledger.append(disk.storage, contentOf(5_000, 2))).rejects.toBe(crash)
      expect(await disk.listKeys(ledger.key)).toEqual([ledger.key])
      ledger.beforeRecord = () => {}
      await ledger.append(disk.storage, content, 2_000)
      expect(ledger.position.offset).toBe(2_000)
      await ledger.append(disk.storage, content)
      await expectStored(ledger, content)
    }
  })

  it('goes on after a crash between the last rename and the ledger, to complete', async () => {
    const content = contentOf(5_000)
    const ledger = new TestLedger()
    await ledger.append(disk.storage, content)
    await rename(partialPath(ledger), wholePath(ledger))
    await ledger.complete(disk.storage)
    await expectStored(ledger, content)
  })

  it('gives a new writer a file that one without its lease cannot write into', async () => {
    const content = contentOf(5_000)
    const ledger = new TestLedger(content.length)
    const overtaken = Promise.withResolvers<void>()
    async function* lateBody() {
      yield contentOf(1_000, 2)
      await overtaken.promise
      yield contentOf(1_000, 2)
    }
    const late = ledger.appendBody(disk.storage, lateBody())
    await waitFor(async () => (await sizeInFile(ledger)) === 1_000, soon)
    await ledger.append(disk.storage, content, 4_000)
    overtaken.resolve()
    await expect(late).rejects.toThrow('the offset went down')
    await ledger.append(disk.storage, content)
    await expectStored(ledger, content)
  })
})

/** The paths of all files that this process has open. */
function openFiles(): string[] {
  return readdirSync('/proc/self/fd').flatMap((descriptor) => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`)
    } catch {
      return []
    }
  })
}
