import { readlinkSync } from 'node:fs'
import { type FileHandle, mkdtemp, open, rm, rmdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { syncDirectory } from '../../../src/storage/disk/files.ts'
import { waitFor } from '../../support/wait.ts'

const soon = { intervalMs: 1 }

/** A sync that began and ends when the test says so. */
interface HeldSync {
  readonly path: string
  readonly end: (error?: Error) => void
}

describe('syncing a directory', () => {
  let directory: string
  let syncs: HeldSync[]

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'landfall-sync-'))
    syncs = []
    const handle = await open(directory)
    const files: FileHandle = Object.getPrototypeOf(handle)
    await handle.close()
    vi.spyOn(files, 'sync').mockImplementation(function (this: FileHandle) {
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const end = (error?: Error) => (error ? reject(error) : resolve())
      syncs.push({ path: readlinkSync(`/proc/self/fd/${this.fd}`), end })
      return promise
    })
  })
  afterEach(async () => {
    vi.restoreAllMocks()
    await rm(directory, { recursive: true, force: true })
  })

  /** The sync with this number, from 0, once it has begun. */
  const begun = (number: number) => waitFor(() => syncs[number], soon)

  it('is done once for all who ask while it is being synced, after they asked', async () => {
    const settled: string[] = []
    const ask = (name: string) => syncDirectory(directory).then(() => settled.push(name))
    const first = ask('first')
    const { end } = await begun(0)
    const others = [ask('second'), ask('third')]
    expect(syncs.length).toBe(1)
    end()
    await first
    const next = await begun(1)
    expect(settled).toEqual(['first'])
    next.end()
    await Promise.all(others)
    expect(syncs.length).toBe(2)
  })

  it('is done anew for one who asks after the shared sync began', async () => {
    const first = syncDirectory(directory)
    const { end } = await begun(0)
    const second = syncDirectory(directory)
    end()
    await first
    const next = await begun(1)
    let isSettled = false
    const third = syncDirectory(directory).then(() => {
      isSettled = true
    })
    next.end()
    await second
    const last = await begun(2)
    expect(isSettled).toBe(false)
    last.end()
    await third
    expect(syncs.length).toBe(3)
  })

  it('does not wait for another directory', async () => {
    await using other = await otherDirectory()
    const held = syncDirectory(directory)
    const { end } = await begun(0)
    const free = syncDirectory(other.path)
    const sync = await begun(1)
    expect(sync.path).toBe(other.path)
    sync.end()
    await free
    end()
    await held
  })

  it('fails for all who share the sync that failed, and works again after that', async () => {
    const first = syncDirectory(directory)
    const { end } = await begun(0)
    const shared = [syncDirectory(directory), syncDirectory(directory)]
    end()
    await first
    const error = new Error('EIO')
    const next = await begun(1)
    next.end(error)
    for (const result of await Promise.allSettled(shared)) {
      expect(result).toEqual({ status: 'rejected', reason: error })
    }
    const after = syncDirectory(directory)
    const last = await begun(2)
    last.end()
    await after
    expect(syncs.length).toBe(3)
  })

  it('works again after it failed while others waited', async () => {
    const error = new Error('EIO')
    const first = expect(syncDirectory(directory)).rejects.toBe(error)
    const { end } = await begun(0)
    const waiting = syncDirectory(directory).then(
      () => 'settled',
      () => 'settled',
    )
    end(error)
    await first
    // Whether they share the failure or get a sync of their own.
    const seen = await Promise.race([waiting, begun(1)])
    if (typeof seen === 'object') seen.end()
    await waiting
    const { length } = syncs
    const after = syncDirectory(directory)
    const last = await begun(length)
    last.end()
    await after
  })

  it('fails when the directory is gone, and is forgotten', async () => {
    const sets = vi.spyOn(Map.prototype, 'set')
    const first = syncDirectory(directory)
    const maps = sets.mock.contexts.filter((map) => map instanceof Map)
    const known = maps.find((map) => map.has(directory))
    sets.mockRestore()
    expect(known).toBeDefined()
    const { end } = await begun(0)
    const second = syncDirectory(directory)
    const refused = expect(second).rejects.toMatchObject({ code: 'ENOENT' })
    await rmdir(directory)
    end()
    await first
    await refused
    expect(known?.has(directory)).toBe(false)
  })
})

async function otherDirectory(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'landfall-sync-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}
