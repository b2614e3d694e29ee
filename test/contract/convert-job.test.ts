import { readdir } from 'node:fs/promises'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { AppError } from '../../src/errors.ts'
import { PostponedJobError } from '../../src/queue/contract.ts'
import { jobPayloads } from '../../src/queue/kinds.ts'
import { type ByteRange, hasLocalFiles, type Storage } from '../../src/storage/contract.ts'
import { originalKey } from '../../src/storage/keys.ts'
import { png, renamedText } from '../fixtures/images.ts'
import { databaseTargets } from '../support/databases.ts'
import { type ImageBench, imageBench, renderedBytes } from '../support/image-bench.ts'
import { testPreset } from '../support/presets.ts'
import { contentOf, MiB, sha256, startDisk } from '../support/storage.ts'
import { jobsOf } from '../support/uploads.ts'

const preset = testPreset()
const large = contentOf(MiB + 1)

const upTo = (end: number): ByteRange => ({ start: 0, end })
/** As the image and its upload have it. */
const digests = (bytes: Buffer) => ({ sha256: sha256(bytes), inLedger: sha256(bytes) })

describe.each(databaseTargets)('the job that converts an image on $name', (target) => {
  let picture: Buffer
  let notes: Buffer
  let bench: ImageBench

  beforeAll(async () => {
    picture = await png()
    notes = await renamedText()
  })
  beforeEach(async () => {
    bench = await imageBench({ target, backend: { start: startDisk }, presets: [preset] })
  })
  afterEach(() => bench.cleanup())

  /** Nothing was told and nothing was queued before the job runs. */
  async function arrived(bytes: Buffer, requests: 1 | 2 = 1): Promise<string> {
    const id = await bench.arrived(bytes, requests)
    await bench.clear()
    return id
  }
  const run = (imageId: string, storage: Storage = bench.storage) =>
    bench.handlers({ storage }).run(imageId)
  async function expectReady(id: string, bytes: Buffer): Promise<void> {
    const image = await bench.find(id)
    expect(image).toMatchObject({
      state: 'ready',
      contentType: 'image/png',
      ...digests(bytes),
      renditions: [{ preset: 'box', etag: sha256(renderedBytes(bytes, preset, 'webp')) }],
    })
    expect(await bench.events()).toEqual([['image.ready', id, { renditions: 1 }]])
    expect(await bench.storedKeys()).toEqual(image?.renditions.map(({ key }) => key))
  }
  /** As if the attempt had never been. */
  async function expectUntouched(id: string, bytes: Buffer): Promise<void> {
    const image = await bench.find(id)
    expect(image).toMatchObject({ state: 'processing', ...digests(bytes), renditions: [] })
    expect(await bench.events()).toEqual([])
    expect(await bench.storedKeys()).toEqual([])
    expect(await bench.leftOver()).toEqual([])
  }

  describe.each([
    { from: 'files of this machine', local: true },
    { from: 'storage elsewhere', local: false },
  ])('from $from', ({ local }) => {
    const wholeReads = local ? [] : [undefined]

    it('refuses what is too long for a picture without copying it', async () => {
      const id = await arrived(picture, 2)
      await bench.database.queries
        .updateTable('images')
        .set({ size: 2 ** 40 })
        .execute()
      await run(id)
      expect(await bench.find(id)).toMatchObject({
        state: 'failed',
        error: {
          code: 'image-too-large',
          message: 'The file has 1,099,512 MB; at most 8,000 MB are converted.',
        },
        ...digests(picture),
      })
      expect(bench.converted).toEqual([])
    })

    it('converts what arrived in one request without a look at it, and once', async () => {
      const id = await arrived(picture)
      const { storage, reads } = watch(bench.storage, local)
      await run(id, storage)
      await run(id, storage)
      await expectReady(id, picture)
      expect(bench.converted).toEqual([picture])
      expect(reads).toEqual(wholeReads)
      expect(await bench.leftOver()).toEqual([])
    })

    it('looks first at what did not come in one request', async () => {
      const id = await arrived(picture, 2)
      const { storage, reads } = watch(bench.storage, local)
      await run(id, storage)
      await expectReady(id, picture)
      expect(bench.converted).toEqual([picture])
      expect(reads).toEqual([upTo(picture.length - 1), ...wholeReads])
    })

    it('converts no other bytes than those that arrived, and can be tried again', async () => {
      const id = await arrived(picture)
      const { storage } = watch(bench.storage, local)
      const other = Buffer.from(picture)
      other.writeUInt8(other.readUInt8(200) ^ 1, 200)
      await bench.storage.put(originalKey(id), other, 'image/png')
      const attempt = run(id, storage)
      await expect(attempt).rejects.toMatchObject({ code: 'storage-corrupt', status: 500 })
      await expect(attempt).rejects.not.toBeInstanceOf(PostponedJobError)
      expect(bench.converted).toEqual([])
      await expectUntouched(id, picture)
      await bench.storage.put(originalKey(id), picture, 'image/png')
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
    expect(await bench.find(id)).toMatchObject({ state: 'processing', sha256: undefined })
    const { storage, reads } = watch(bench.storage, false)
    await run(id, storage)
    const error = { code: 'not-an-image', message }
    expect(await bench.find(id)).toMatchObject({ state: 'failed', error, ...digests(bytesOf()) })
    expect(await bench.events()).toEqual([['image.failed', id, { code: 'not-an-image' }]])
    expect(reads).toEqual(expectedReads)
    // Not even a directory for it was made.
    expect(await readdir(bench.workPath)).toEqual([])
    expect(bench.converted).toEqual([])
  })

  it.each([1, 2] as const)(
    'fails an image that turns out to be broken, after %i request(s)',
    async (requests) => {
      const id = await arrived(picture, requests)
      const error = { code: 'corrupt-image', message: 'Its pixels make no sense.' }
      bench.during.conversion = () => Promise.reject(new AppError(error.code, 422, error.message))
      await run(id)
      const known = { ...digests(picture), contentType: 'image/png' }
      expect(await bench.find(id)).toMatchObject({ state: 'failed', error, ...known })
      expect(await bench.events()).toEqual([['image.failed', id, { code: error.code }]])
      expect(await bench.storedKeys()).toEqual([])
      expect(await bench.leftOver()).toEqual([])
    },
  )

  it('is tried again when the converter crashed, and not counted while storage is away', async () => {
    const id = await arrived(picture)
    const crash = new AppError('conversion-crashed', 503, 'crashed')
    bench.during.conversion = () => Promise.reject(crash)
    await expect(run(id)).rejects.toBe(crash)
    await expectUntouched(id, picture)
    const read = () => Promise.reject(new AppError('storage-unavailable', 503, 'away'))
    const away = { ...watch(bench.storage, false).storage, read }
    await expect(run(id, away)).rejects.toBeInstanceOf(PostponedJobError)
    await expectUntouched(id, picture)
  })

  describe('when the image is gone', () => {
    const remove = async (id: string) => {
      expect(await bench.remove(id)).toBe(true)
      await bench.clear()
    }
    async function expectForgotten(id: string): Promise<void> {
      expect(await bench.find(id)).toBeUndefined()
      expect(await bench.events()).toEqual([])
      await removeObjects()
      expect(await bench.storedKeys()).toEqual([])
      expect(await bench.leftOver()).toEqual([])
    }
    /** Does what the jobs are there for. */
    async function removeObjects(): Promise<void> {
      for (const { kind, payload } of await jobsOf(bench.database)) {
        expect(kind).toBe('storage.remove')
        const { keys } = jobPayloads['storage.remove'].parse(payload)
        await bench.storage.remove(keys)
      }
    }

    it('before it runs, it has removed what an earlier attempt may have stored', async () => {
      const id = await arrived(picture)
      const putFile: Storage['putFile'] = async (...given) => {
        await bench.storage.putFile(...given)
        throw new Error('the answer was lost')
      }
      await expect(run(id, { ...bench.storage, putFile })).rejects.toThrow('the answer was lost')
      expect(await bench.storedKeys()).toHaveLength(1)
      await remove(id)
      await run(id)
      await expectForgotten(id)
      expect(bench.converted).toHaveLength(1)
    })

    it('while it runs, it stores nothing', async () => {
      const id = await arrived(picture)
      bench.during.conversion = () => remove(id)
      await run(id)
      expect(await bench.storedKeys()).toEqual([])
      await expectForgotten(id)
      expect(bench.converted).toHaveLength(1)
    })
  })

  it('fails an image with its last attempt, unless it is settled', async () => {
    const id = await arrived(picture)
    const handler = bench.converting
    const die = (imageId: string) =>
      bench.database.transaction(async (trx) => handler.onDead?.(trx, { imageId }, 'no luck'))
    await die(id)
    const message = expect.stringContaining('several attempts')
    const error = { code: 'conversion-failed', message }
    const known = { ...digests(picture), contentType: 'image/png' }
    expect(await bench.find(id)).toMatchObject({ state: 'failed', error, ...known })
    expect(await bench.events()).toEqual([['image.failed', id, { code: 'conversion-failed' }]])
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
