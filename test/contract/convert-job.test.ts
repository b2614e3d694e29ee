import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { ConversionRequest, ConversionResult } from '../../src/conversion/contract.ts'
import { AppError } from '../../src/errors.ts'
import { convertHandler } from '../../src/images/convert-job.ts'
import { keysOf } from '../../src/images/presets.ts'
import { findImage } from '../../src/images/records.ts'
import { createWorkDirectories } from '../../src/images/work-directory.ts'
import { createInstance } from '../../src/operations/instance.ts'
import { PostponedJobError } from '../../src/queue/contract.ts'
import { type ByteRange, hasLocalFiles, type Storage } from '../../src/storage/contract.ts'
import { originalKey } from '../../src/storage/keys.ts'
import { findUpload } from '../../src/uploads/ledger.ts'
import { png, renamedText } from '../fixtures/images.ts'
import { databaseTargets, type TestDatabase } from '../support/databases.ts'
import { never, silent } from '../support/leases.ts'
import { testPreset } from '../support/presets.ts'
import { contentOf, inChunks, MiB, sha256, startDisk } from '../support/storage.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../support/temporary-directory.ts'
import { begunUpload, jobsOf, uploadCore } from '../support/uploads.ts'

const presets = [testPreset()]
const large = contentOf(MiB + 1)
const rendered = contentOf(40, 2)
const rendition = {
  preset: 'box',
  format: 'webp',
  contentType: 'image/webp',
  width: 10,
  height: 10,
  frames: 1,
  size: rendered.length,
  sha256: sha256(rendered),
} as const
const original = { format: 'png', width: 300, height: 200, exif: undefined }
const placeholder = { thumbhash: 'aGFzaA==', color: '#102030' }

const upTo = (end: number): ByteRange => ({ start: 0, end })
/** As the image and its upload have it. */
const digests = (bytes: Buffer) => ({ sha256: sha256(bytes), inLedger: sha256(bytes) })

describe.each(databaseTargets)('the job that converts an image on $name', (target) => {
  let picture: Buffer
  let notes: Buffer
  let test: TestDatabase
  let disk: Awaited<ReturnType<typeof startDisk>>
  let work: TemporaryDirectory
  let core: ReturnType<typeof uploadCore>
  let converted: Buffer[]
  /** What happens while an image is being converted. */
  let meanwhile: () => Promise<unknown>

  beforeAll(async () => {
    picture = await png()
    notes = await renamedText()
  })
  beforeEach(async () => {
    test = await target.create()
    disk = await startDisk()
    work = await temporaryDirectory()
    core = uploadCore({ database: test.database, storage: disk.storage })
    converted = []
    meanwhile = async () => {}
  })
  afterEach(async () => {
    await work[Symbol.asyncDispose]()
    await disk.close()
    await test.cleanup()
  })

  /** An image whose bytes came in one request, or in two and so were not looked at. */
  async function arrived(bytes: Buffer, requests: 1 | 2 = 1): Promise<string> {
    const id = await begunUpload(test.database, { length: bytes.length })
    for (const [start, end] of requests === 1 ? [[0]] : [[0, 20], [20]]) {
      await core.leases.hold(id, never, async (_, lease) => {
        if (!lease) throw new Error('it takes no more bytes')
        if (bytes.length === 0) await core.finish.assemble(lease)
        else await core.receive(lease, inChunks(bytes.subarray(start, end)))
      })
    }
    await clear()
    return id
  }
  /** Nothing was told and nothing was queued before the job runs. */
  async function clear(): Promise<void> {
    await test.database.queries.deleteFrom('events').execute()
    await test.database.queries.deleteFrom('jobs').execute()
    core.queue.woken = 0
  }

  /** Writes one rendition, without a look at the picture. */
  async function convert({ input, outputDirectory }: ConversionRequest): Promise<ConversionResult> {
    converted.push(await readFile(input))
    const path = join(outputDirectory, 'box.webp')
    await writeFile(path, rendered)
    await meanwhile()
    return { ...original, ...placeholder, renditions: [{ ...rendition, path }] }
  }

  const handlerOn = (storage: Storage) =>
    convertHandler({
      database: test.database,
      storage,
      queue: core.queue,
      converter: { convert, close: async () => {} },
      presets,
      directories: createWorkDirectories(work.path, createInstance()),
      logger: silent,
    })
  const run = (imageId: string, storage: Storage = disk.storage) =>
    handlerOn(storage).run({ imageId }, { jobId: 'job', number: 1, signal: never })

  /** The image, with the digest that the ledger has of its upload. */
  async function find(id: string) {
    const image = await findImage(test.database.queries, id)
    const upload = await findUpload(test.database.queries, id)
    return image && { ...image, inLedger: upload?.sha256 }
  }
  const events = async () => {
    const rows = await test.database.queries.selectFrom('events').selectAll().execute()
    return rows.map(({ type, subject, payload }) => [type, subject, JSON.parse(payload) as unknown])
  }
  async function expectReady(id: string, bytes: Buffer): Promise<void> {
    expect(await find(id)).toMatchObject({
      state: 'ready',
      contentType: 'image/png',
      ...digests(bytes),
      renditions: [{ preset: 'box', etag: sha256(rendered) }],
    })
    expect(await events()).toEqual([['image.ready', id, { renditions: 1 }]])
    expect(await disk.listKeys('images/')).toEqual(keysOf(presets, id))
  }
  /** As if the attempt had never been. */
  async function expectUntouched(id: string, bytes: Buffer): Promise<void> {
    expect(await find(id)).toMatchObject({ state: 'processing', ...digests(bytes), renditions: [] })
    expect(await events()).toEqual([])
    expect(await disk.listKeys('images/')).toEqual([])
    expect(await leftOver()).toEqual([])
  }
  /** The files and directories of jobs. */
  const leftOver = async () =>
    (await readdir(work.path, { recursive: true })).filter((entry) => entry.includes('job-'))

  describe.each([
    { from: 'files of this machine', local: true },
    { from: 'storage elsewhere', local: false },
  ])('from $from', ({ local }) => {
    const wholeReads = local ? [] : [undefined]

    it('converts what arrived in one request without a look at it, and once', async () => {
      const id = await arrived(picture)
      const { storage, reads } = watch(disk.storage, local)
      await run(id, storage)
      await run(id, storage)
      await expectReady(id, picture)
      expect(converted).toEqual([picture])
      expect(reads).toEqual(wholeReads)
      expect(await leftOver()).toEqual([])
    })

    it('looks first at what did not come in one request', async () => {
      const id = await arrived(picture, 2)
      const { storage, reads } = watch(disk.storage, local)
      await run(id, storage)
      await expectReady(id, picture)
      expect(converted).toEqual([picture])
      expect(reads).toEqual([upTo(picture.length - 1), ...wholeReads])
    })

    it('converts no other bytes than those that arrived, and can be tried again', async () => {
      const id = await arrived(picture)
      const { storage } = watch(disk.storage, local)
      const other = Buffer.from(picture)
      other.writeUInt8(other.readUInt8(200) ^ 1, 200)
      await disk.storage.put(originalKey(id), other, 'image/png')
      const attempt = run(id, storage)
      await expect(attempt).rejects.toMatchObject({ code: 'storage-corrupt', status: 500 })
      await expect(attempt).rejects.not.toBeInstanceOf(PostponedJobError)
      expect(converted).toEqual([])
      await expectUntouched(id, picture)
      await disk.storage.put(originalKey(id), picture, 'image/png')
      await run(id, storage)
      await expectReady(id, picture)
    })
  })

  it.each([
    ['a small file', () => notes, 2, 'The file is not an image.', [upTo(67)]],
    ['a large file', () => large, 1, 'The file is not an image.', [upTo(4_099), undefined]],
    ['a file without bytes', () => Buffer.alloc(0), 1, 'The file is empty.', []],
  ] as const)('fails %s that is no image without copying it', async (...given) => {
    const [, bytesOf, requests, message, expectedReads] = given
    const id = await arrived(bytesOf(), requests)
    expect(await find(id)).toMatchObject({ state: 'processing', sha256: undefined })
    const { storage, reads } = watch(disk.storage, false)
    await run(id, storage)
    const error = { code: 'not-an-image', message }
    expect(await find(id)).toMatchObject({ state: 'failed', error, ...digests(bytesOf()) })
    expect(await events()).toEqual([['image.failed', id, { code: 'not-an-image' }]])
    expect(reads).toEqual(expectedReads)
    // Not even a directory for it was made.
    expect(await readdir(work.path)).toEqual([])
    expect(converted).toEqual([])
  })

  it.each([1, 2] as const)(
    'fails an image that turns out to be broken, after %i request(s)',
    async (requests) => {
      const id = await arrived(picture, requests)
      const error = { code: 'corrupt-image', message: 'Its pixels make no sense.' }
      meanwhile = () => Promise.reject(new AppError(error.code, 422, error.message))
      await run(id)
      const known = { ...digests(picture), contentType: 'image/png' }
      expect(await find(id)).toMatchObject({ state: 'failed', error, ...known })
      expect(await events()).toEqual([['image.failed', id, { code: error.code }]])
      expect(await disk.listKeys('images/')).toEqual([])
      expect(await leftOver()).toEqual([])
    },
  )

  it('is tried again when the converter crashed, and not counted while storage is away', async () => {
    const id = await arrived(picture)
    const crash = new AppError('conversion-crashed', 503, 'crashed')
    meanwhile = () => Promise.reject(crash)
    await expect(run(id)).rejects.toBe(crash)
    await expectUntouched(id, picture)
    const read = () => Promise.reject(new AppError('storage-unavailable', 503, 'away'))
    const away = { ...watch(disk.storage, false).storage, read }
    await expect(run(id, away)).rejects.toBeInstanceOf(PostponedJobError)
    await expectUntouched(id, picture)
  })

  describe('when the image is gone', () => {
    const remove = async (id: string) => {
      expect(await core.remove(id)).toBe(true)
      await clear()
    }
    async function expectForgotten(id: string): Promise<void> {
      expect(await find(id)).toBeUndefined()
      expect(await events()).toEqual([])
      expect(await jobsOf(test.database)).toEqual([
        { kind: 'storage.remove', payload: { keys: keysOf(presets, id) } },
      ])
      expect(core.queue.woken).toBe(1)
      expect(await leftOver()).toEqual([])
    }

    it('before it runs, it has removed what an earlier attempt may have stored', async () => {
      const id = await arrived(picture)
      await remove(id)
      await run(id)
      await expectForgotten(id)
      expect(converted).toEqual([])
    })

    it('while it runs, it has removed what it stored itself', async () => {
      const id = await arrived(picture)
      meanwhile = () => remove(id)
      await run(id)
      await expectForgotten(id)
      expect(converted).toHaveLength(1)
    })
  })

  it('fails an image with its last attempt, unless it is settled', async () => {
    const id = await arrived(picture)
    const handler = handlerOn(disk.storage)
    const die = (imageId: string) =>
      test.database.transaction(async (trx) => handler.onDead?.(trx, { imageId }, 'no luck'))
    await die(id)
    const message = expect.stringContaining('several attempts')
    const error = { code: 'conversion-failed', message }
    const known = { ...digests(picture), contentType: 'image/png' }
    expect(await find(id)).toMatchObject({ state: 'failed', error, ...known })
    expect(await events()).toEqual([['image.failed', id, { code: 'conversion-failed' }]])
    const other = await arrived(picture)
    await run(other)
    await die(other)
    await expectReady(other, picture)
  })
})

/** The same storage, here or as if it were another machine's, and the ranges read of its objects. */
function watch(storage: Storage, local: boolean) {
  if (!hasLocalFiles(storage)) throw new Error('it has no local files as it is')
  const { pathOf, ...rest } = storage
  const reads: (ByteRange | undefined)[] = []
  const watched: Storage = {
    ...rest,
    ...(local && { pathOf }),
    async read(key, range, signal) {
      reads.push(range)
      return storage.read(key, range, signal)
    },
  }
  return { storage: watched, reads }
}
