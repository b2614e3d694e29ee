/** What is known of a small file by the time that all of it has arrived. */
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { originalKey } from '../../src/storage/keys.ts'
import { voidLeases } from '../../src/uploads/lease-records.ts'
import { findUpload } from '../../src/uploads/ledger.ts'
import type { UploadListener } from '../../src/uploads/listener.ts'
import type { NewUpload } from '../../src/uploads/upload.ts'
import { png, renamedText } from '../fixtures/images.ts'
import { databaseTargets, type TestDatabase } from '../support/databases.ts'
import { leaseOf, never } from '../support/leases.ts'
import {
  backends,
  contentOf,
  digestOf,
  inChunks,
  MiB,
  type StorageUnderTest,
  sha256,
} from '../support/storage.ts'
import { begunUpload, jobsOf, uploadCore } from '../support/uploads.ts'

const places = databaseTargets.flatMap((target) =>
  backends.map((backend) => ({ target, backend, name: `${target.name} and ${backend.name}` })),
)

describe.each(places)('a file that arrives, with $name', ({ target, backend }) => {
  let notes: Buffer
  let picture: Buffer
  let test: TestDatabase
  let under: StorageUnderTest
  let core: ReturnType<typeof uploadCore>

  beforeAll(async () => {
    notes = await renamedText()
    picture = await png()
  })
  beforeEach(async () => {
    test = await target.create()
    under = await backend.start()
    core = uploadCore({ database: test.database, storage: under.storage })
  })
  afterEach(async () => {
    await under.close()
    await test.cleanup()
  })

  const begin = (length: number | undefined, given: Partial<NewUpload> = {}) =>
    begunUpload(test.database, { length, ...given })
  /** One request, from the lease on. */
  const send = (id: string, bytes: Buffer, { error, via = core }: Sending = {}) =>
    core.leases.hold(id, never, async (_, lease) => {
      if (!lease) throw new Error('it takes no more bytes')
      return via.receive(lease, inChunks(bytes, 1_000, error))
    })
  const find = (id: string) => findUpload(test.database.queries, id)
  const image = () => test.database.queries.selectFrom('images').selectAll().executeTakeFirst()
  const events = async () => {
    const { queries } = test.database
    const rows = await queries.selectFrom('events').selectAll().orderBy('position').execute()
    return rows.map(({ type, subject, payload }) => [type, subject, JSON.parse(payload) as unknown])
  }
  /** An image whose file was not looked at. */
  async function expectUnseen(id: string, bytes: Buffer): Promise<void> {
    expect(await find(id)).toMatchObject({ state: 'stored', sha256: undefined })
    expect(await image()).toMatchObject({
      id,
      state: 'processing',
      sha256: null,
      content_type: 'image/jpeg',
      size: bytes.length,
    })
    expect(await jobsOf(test.database)).toEqual([conversionOf(id)])
    expect(await events()).toEqual([['upload.stored', id, { size: bytes.length }]])
    expect(core.queue.woken).toBe(1)
    expect(await digestOf(under.storage, originalKey(id))).toBe(sha256(bytes))
  }
  async function expectNothingOf(id: string): Promise<void> {
    expect(await find(id)).toMatchObject({ state: 'receiving', offset: 0, sha256: undefined })
    expect(await image()).toBeUndefined()
    expect(await jobsOf(test.database)).toEqual([])
    expect(await events()).toEqual([])
  }
  async function expectFailed(id: string, bytes: Buffer, failure: object): Promise<void> {
    const digest = sha256(bytes)
    expect(await find(id)).toMatchObject({ state: 'stored', offset: bytes.length, sha256: digest })
    const recent = expect.toSatisfy((time: number) => time > 0 && time <= Date.now())
    const seen = { state: 'failed', sha256: digest, size: bytes.length, finished_at: recent }
    expect(await image()).toMatchObject({ id, ...seen, ...failure })
    expect(await jobsOf(test.database)).toEqual([])
    expect(await digestOf(under.storage, originalKey(id))).toBe(digest)
  }

  it.each([
    {
      what: 'notes',
      bytes: () => notes,
      code: 'not-an-image',
      message: 'The file is not an image.',
      // Bytes that say nothing do not make true what the client said.
      type: null,
    },
    {
      what: 'a document',
      bytes: () => Buffer.from('%PDF-1.7\n'),
      code: 'not-an-image',
      message: 'The file is not an image; it looks like application/pdf.',
      type: 'application/pdf',
    },
    {
      what: 'a picture in a format of which nothing is made',
      bytes: () => Buffer.from([0xff, 0x0a, 0, 0]),
      code: 'unsupported-format',
      message: expect.stringContaining('JPEG XL images cannot be converted'),
      type: 'image/jxl',
    },
  ])('failed at once when it is $what, and no job looks at it', async (given) => {
    const bytes = given.bytes()
    const id = await begin(bytes.length)
    expect(await send(id, bytes)).toMatchObject({ offset: bytes.length, stored: true })
    await expectFailed(id, bytes, {
      error_code: given.code,
      error_message: given.message,
      content_type: given.type,
    })
    expect(await events()).toEqual([
      ['upload.stored', id, { size: bytes.length }],
      ['image.failed', id, { code: given.code }],
    ])
    expect(core.queue.woken).toBe(0)
  })

  it('is known by its own bytes when it is an image, whatever the client said', async () => {
    const id = await begin(picture.length, { contentType: 'text/plain' })
    expect(await send(id, picture)).toMatchObject({ stored: true })
    expect(await find(id)).toMatchObject({ state: 'stored', sha256: sha256(picture) })
    expect(await image()).toMatchObject({
      id,
      state: 'processing',
      sha256: sha256(picture),
      content_type: 'image/png',
      error_code: null,
      finished_at: null,
    })
    expect(await jobsOf(test.database)).toEqual([conversionOf(id)])
    expect(await events()).toEqual([['upload.stored', id, { size: picture.length }]])
    expect(core.queue.woken).toBe(1)
  })

  it.each([
    ['came in two requests', undefined],
    ['was resumed after a cut', new Error('reset by peer')],
  ])('is left to a job when it %s', async (_, error) => {
    const id = await begin(notes.length)
    const first = send(id, notes.subarray(0, 20), error ? { error } : {})
    if (error) await expect(first).rejects.toBe(error)
    else await first
    expect(await find(id)).toMatchObject({ state: 'receiving', offset: 20, sha256: undefined })
    await send(id, notes.subarray(20))
    await expectUnseen(id, notes)
  })

  it('is known when a request that brought nothing came before', async () => {
    const id = await begin(notes.length)
    await expect(send(id, notes.subarray(0, 0), { error: new Error('cut') })).rejects.toThrow('cut')
    await send(id, notes)
    await expectFailed(id, notes, { error_code: 'not-an-image' })
  })

  it('is known when it is a mebibyte, and left to a job when it is longer', async () => {
    const long = contentOf(MiB + 1)
    const id = await begin(long.length)
    await send(id, long)
    await expectUnseen(id, long)
    await test.database.queries.deleteFrom('images').execute()
    await test.database.queries.deleteFrom('jobs').execute()
    const whole = long.subarray(0, MiB)
    const other = await begin(MiB)
    await send(other, whole)
    await expectFailed(other, whole, { error_code: 'not-an-image' })
  })

  it('is recorded with no other digest than its own when its client sends too much', async () => {
    const id = await begin(notes.length)
    const tooLong = send(id, Buffer.concat([notes, contentOf(2_000)]))
    await expect(tooLong).rejects.toMatchObject({ code: 'upload-too-long' })
    await expectUnseen(id, notes)
  })

  it('is left to a job when it has no bytes', async () => {
    const id = await begin(0)
    await core.leases.holdIfFree(id, async (_, lease) => void (await core.finish.assemble(lease)))
    await expectUnseen(id, Buffer.alloc(0))
  })

  it('holds up no transaction while it is looked at', async () => {
    const listener: UploadListener = {
      ...core.listener,
      async examine(content) {
        await test.database.transaction(async () => {})
        return core.listener.examine(content)
      },
    }
    const slow = uploadCore({ database: test.database, storage: under.storage, listener })
    const id = await begin(notes.length)
    await send(id, notes, { via: slow })
    await expectFailed(id, notes, { error_code: 'not-an-image' })
  })

  it('leaves nothing of what was seen when its transaction fails, and can be sent again', async () => {
    const listener: UploadListener = {
      ...core.listener,
      async stored(...given) {
        expect(await core.listener.stored(...given)).toEqual([])
        throw new Error('the power went')
      },
    }
    const broken = uploadCore({ database: test.database, storage: under.storage, listener })
    const id = await begin(notes.length)
    await expect(send(id, notes, { via: broken })).rejects.toThrow('the power went')
    await expectNothingOf(id)
    expect(broken.queue.woken).toBe(0)
    await send(id, notes)
    await expectFailed(id, notes, { error_code: 'not-an-image' })
  })

  it.each([
    ['no image', () => notes],
    ['an image', () => picture],
  ])('leaves nothing when its writer lost the lease, being %s', async (_, bytes) => {
    const id = await begin(bytes().length)
    const lease = await leaseOf(test.database, id)
    await voidLeases(test.database.queries, ['somebody'])
    const late = core.receive(lease, inChunks(bytes()))
    await expect(late).rejects.toMatchObject({ code: 'lease-lost' })
    await expectNothingOf(id)
    expect(core.queue.woken).toBe(0)
  })
})

interface Sending {
  /** What the connection breaks with after the bytes. */
  readonly error?: Error
  readonly via?: Pick<ReturnType<typeof uploadCore>, 'receive'>
}

const conversionOf = (id: string) => ({ kind: 'image.convert', payload: { imageId: id } })
