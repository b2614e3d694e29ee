import { readdirSync, readlinkSync } from 'node:fs'
import { type FileHandle, open, readFile, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { contentOf, digestOf, inChunks, sha256, startDisk, TestLedger } from '../support/storage.ts'

const size = 5_000
const content = contentOf(size)
const leaseLost = new Error('the lease is lost')

/** Called before a file of an upload is opened, with its path. */
const opening = vi.hoisted(() => ({ before: (_path: string): void | Promise<void> => {} }))

vi.mock('node:fs/promises', async (importOriginal) => {
  const original = await importOriginal<typeof import('node:fs/promises')>()
  const open: typeof original.open = async (path, ...rest) => {
    if (String(path).endsWith('.partial')) await opening.before(String(path))
    return original.open(path, ...rest)
  }
  return { ...original, open }
})

/** Something that begins, and ends when the test says so. */
class Held {
  readonly #begun = Promise.withResolvers<void>()
  readonly #end = Promise.withResolvers<void>()
  readonly begun = this.#begun.promise

  constructor() {
    this.#end.promise.catch(() => {})
  }

  readonly enter = (): Promise<void> => {
    this.#begun.resolve()
    return this.#end.promise
  }

  end(error?: Error): void {
    if (error) this.#end.reject(error)
    else this.#end.resolve()
  }
}

describe('a file on the disk that becomes whole', () => {
  let disk: Awaited<ReturnType<typeof startDisk>>
  let beforeContentSync: () => void | Promise<void>
  let beforeNameSync: () => void | Promise<void>

  beforeAll(async () => {
    disk = await startDisk()
    await disk.storage.put('uploads/neighbour', Buffer.from('x'), 'text/plain')
  })
  afterAll(() => disk?.close())
  beforeEach(async () => {
    beforeContentSync = () => {}
    beforeNameSync = () => {}
    const handle = await open(disk.directory)
    const files: FileHandle = Object.getPrototypeOf(handle)
    await handle.close()
    const { datasync, sync } = files
    vi.spyOn(files, 'datasync').mockImplementation(async function (this: FileHandle) {
      await beforeContentSync()
      await datasync.call(this)
    })
    vi.spyOn(files, 'sync').mockImplementation(async function (this: FileHandle) {
      await beforeNameSync()
      await sync.call(this)
    })
  })
  afterEach(() => {
    opening.before = () => {}
    vi.restoreAllMocks()
  })

  const wholePath = (ledger: TestLedger) => join(disk.directory, ledger.key)
  const openFiles = (ledger: TestLedger) =>
    readdirSync('/proc/self/fd').flatMap((descriptor) => {
      try {
        const path = readlinkSync(`/proc/self/fd/${descriptor}`)
        return path.startsWith(wholePath(ledger)) ? [path] : []
      } catch {
        return []
      }
    })

  /** An upload of which so much is recorded. */
  async function begunUpload(recorded: number): Promise<TestLedger> {
    const ledger = new TestLedger(size)
    await ledger.append(disk.storage, content, recorded)
    return ledger
  }

  async function expectFinished(ledger: TestLedger): Promise<void> {
    await ledger.append(disk.storage, content)
    expect(ledger.records.at(-1)).toMatchObject({ offset: size, whole: true })
    expect(await digestOf(disk.storage, ledger.key)).toBe(sha256(content))
    expect(await disk.listKeys(ledger.key)).toEqual([ledger.key])
    expect(openFiles(ledger)).toEqual([])
  }

  describe('while it is opened', () => {
    it('has it opened with the first byte, before there are enough to write', async () => {
      const ledger = new TestLedger(size)
      const opened: string[] = []
      opening.before = (path) => void opened.push(path)
      async function* body() {
        yield content.subarray(0, 1)
        expect(opened).toEqual([`${wholePath(ledger)}.partial`])
        yield content.subarray(1)
      }
      expect(await ledger.appendBody(disk.storage, body())).toBe(size)
      expect(opened.length).toBe(1)
    })

    it.each([0, 1_000])('waits for that when the lease is lost, from %i', async (recorded) => {
      const ledger = await begunUpload(recorded)
      const held = new Held()
      opening.before = held.enter
      const lease = new AbortController()
      async function* body() {
        yield content.subarray(recorded, recorded + 1)
        await new Promise(() => {})
      }
      let isSettled = false
      const appended = ledger.appendBody(disk.storage, body(), lease.signal).finally(() => {
        isSettled = true
      })
      const refused = expect(appended).rejects.toBe(leaseLost)
      await held.begun
      lease.abort(leaseLost)
      // What does not wait for the file has come to its end after these.
      for (let i = 0; i < 10; i += 1) await readFile(join(disk.directory, 'uploads/neighbour'))
      expect(isSettled).toBe(false)
      held.end()
      await refused
      expect(openFiles(ledger)).toEqual([])
      expect(ledger.position.offset).toBe(recorded)
      opening.before = () => {}
      await expectFinished(ledger)
    })

    it('keeps what arrived of a body that is cut, and closes the file', async () => {
      const ledger = new TestLedger(size)
      const held = new Held()
      opening.before = held.enter
      const gone = new Error('the client is gone')
      const body = inChunks(content.subarray(0, 300), 100, gone)
      const refused = expect(ledger.appendBody(disk.storage, body)).rejects.toBe(gone)
      await held.begun
      held.end()
      await refused
      expect(ledger.position.offset).toBe(300)
      expect(openFiles(ledger)).toEqual([])
      await expectFinished(ledger)
    })

    it.each(['EMFILE', 'EIO'])('fails with %s, records nothing and can go on', async (code) => {
      for (const recorded of [0, 1_000]) {
        const ledger = await begunUpload(recorded)
        opening.before = () => Promise.reject(Object.assign(new Error('open'), { code }))
        const appended = ledger.append(disk.storage, content)
        await expect(appended).rejects.toMatchObject({ code: 'storage-unavailable' })
        expect(ledger.position.offset).toBe(recorded)
        opening.before = () => {}
        await expectFinished(ledger)
      }
    })
  })

  describe.each([0, 1_000])('from offset %i', (recorded) => {
    it('is recorded once its content and its name are durable, which happens at once', async () => {
      for (const last of ['content', 'name']) {
        const ledger = await begunUpload(recorded)
        const { length: before } = ledger.records
        const [ofContent, ofName] = [new Held(), new Held()]
        beforeContentSync = ofContent.enter
        beforeNameSync = ofName.enter
        const appended = ledger.append(disk.storage, content)
        await Promise.all([ofContent.begun, ofName.begun])
        const [first, second] = last === 'name' ? [ofContent, ofName] : [ofName, ofContent]
        first.end()
        for (let i = 0; i < 10; i += 1) await readFile(join(disk.directory, 'uploads/neighbour'))
        expect(ledger.records.length).toBe(before)
        second.end()
        expect(await appended).toBe(size)
        await expectFinished(ledger)
      }
    })

    it.each(['content', 'name'])('goes on after a sync of its %s that failed', async (what) => {
      const ledger = await begunUpload(recorded)
      const fail = () => Promise.reject(Object.assign(new Error('sync'), { code: 'EIO' }))
      if (what === 'content') beforeContentSync = fail
      else beforeNameSync = fail
      const appended = ledger.append(disk.storage, content)
      await expect(appended).rejects.toMatchObject({ code: 'storage-unavailable' })
      expect(ledger.position.offset).toBe(recorded)
      expect(ledger.records.some(({ whole }) => whole)).toBe(false)
      expect(openFiles(ledger)).toEqual([])
      beforeContentSync = () => {}
      beforeNameSync = () => {}
      await ledger.append(disk.storage, content, 3_000)
      expect(ledger.position.offset).toBe(3_000)
      await expectFinished(ledger)
    })

    it('goes on after a sync that failed while the other one is under way', async () => {
      const ledger = await begunUpload(recorded)
      const name = new Held()
      beforeContentSync = () => Promise.reject(Object.assign(new Error('sync'), { code: 'ENOSPC' }))
      beforeNameSync = name.enter
      let isSettled = false
      const appended = ledger.append(disk.storage, content).finally(() => {
        isSettled = true
      })
      const refused = expect(appended).rejects.toMatchObject({ code: 'storage-full' })
      await name.begun
      for (let i = 0; i < 10; i += 1) await readFile(join(disk.directory, 'uploads/neighbour'))
      expect(isSettled).toBe(false)
      name.end()
      await refused
      beforeContentSync = () => {}
      beforeNameSync = () => {}
      await expectFinished(ledger)
    })

    it('is recorded by nobody who lost the lease meanwhile, and goes on', async () => {
      const ledger = await begunUpload(recorded)
      const { length: before } = ledger.records
      const held = new Held()
      beforeContentSync = held.enter
      const lease = new AbortController()
      const body = inChunks(content.subarray(recorded))
      const appended = ledger.appendBody(disk.storage, body, lease.signal)
      const refused = expect(appended).rejects.toBe(leaseLost)
      await held.begun
      lease.abort(leaseLost)
      held.end()
      await refused
      expect(ledger.records.length).toBe(before)
      expect(openFiles(ledger)).toEqual([])
      beforeContentSync = () => {}
      await expectFinished(ledger)
    })

    it('goes on when the power failed after the rename and took the bytes along', async () => {
      const ledger = await begunUpload(recorded)
      const crash = () => Promise.reject(new Error('power'))
      beforeContentSync = crash
      beforeNameSync = crash
      await expect(ledger.append(disk.storage, contentOf(size, 2))).rejects.toMatchObject({
        code: 'storage-unavailable',
      })
      beforeContentSync = () => {}
      beforeNameSync = () => {}
      expect(await disk.listKeys(ledger.key)).toEqual([ledger.key])
      await truncate(wholePath(ledger), recorded)
      await ledger.append(disk.storage, content, 2_000)
      expect(ledger.position.offset).toBe(2_000)
      await expectFinished(ledger)
    })

    it('is closed when the ledger refuses it', async () => {
      const ledger = await begunUpload(recorded)
      const refusal = new Error('the database is away')
      ledger.beforeRecord = ({ whole }) => (whole ? Promise.reject(refusal) : undefined)
      await expect(ledger.append(disk.storage, content)).rejects.toBe(refusal)
      expect(openFiles(ledger)).toEqual([])
      ledger.beforeRecord = () => {}
      await expectFinished(ledger)
    })
  })
})
