/** Uploads made of others that are complete. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { originalKey } from '../../src/storage/keys.ts'
import { concatenating, witnessOf } from '../support/concatenation.ts'
import { databaseTargets, type TestDatabase } from '../support/databases.ts'
import { never } from '../support/leases.ts'
import { backends, contentOf, MiB, type StorageUnderTest, sha256 } from '../support/storage.ts'

const places = databaseTargets.flatMap((target) =>
  backends.map((backend) => ({ target, backend, name: `${target.name} and ${backend.name}` })),
)

describe.each(places)('an upload made of others, with $name', ({ target, backend }) => {
  let test: TestDatabase
  let under: StorageUnderTest
  let core: ReturnType<typeof concatenating>
  let witness: ReturnType<typeof witnessOf>

  beforeEach(async () => {
    test = await target.create()
    under = await backend.start()
    const means = { database: test.database, storage: under.storage }
    core = concatenating(means)
    witness = witnessOf(test.database, under.storage)
  })
  afterEach(async () => {
    await under.close()
    await test.cleanup()
  })

  const partials = async (contents: readonly Buffer[]) => {
    const ids: string[] = []
    for (const content of contents) ids.push(await core.partial(content))
    return ids
  }
  const contentsOf = (...sizes: number[]) => sizes.map((size, each) => contentOf(size, each + 1))

  it('has their bytes in the order of the list, and is one image, one event and one job', async () => {
    const contents = contentsOf(6 * MiB, 1_000, 70_000)
    const [a = '', b = '', c = ''] = await partials(contents)
    expect(await witness.events()).toEqual([])
    expect(await witness.images()).toEqual([])
    const { id, state, length } = await core.concatenate([c, a, b])
    const bytes = Buffer.concat([2, 0, 1].flatMap((each) => contents[each] ?? []))
    expect({ state, length }).toEqual({ state: 'stored', length: bytes.length })
    expect(await witness.find(id)).toMatchObject({ offset: bytes.length, lease: undefined })
    expect(await witness.digest(id)).toBe(sha256(bytes))
    expect(await witness.events()).toEqual([['upload.stored', id]])
    expect(await witness.images()).toEqual([id])
    expect(await witness.jobs('image.convert')).toEqual([JSON.stringify({ imageId: id })])
  })

  it('leaves nothing of theirs in storage, and they still say that they are complete', async () => {
    const contents = contentsOf(6 * MiB, 1_000, 0)
    const sources = await partials(contents)
    const { id } = await core.concatenate(sources)
    await witness.runDiscards()
    expect(await under.listKeys()).toEqual([originalKey(id)])
    expect(await witness.digest(id)).toBe(sha256(Buffer.concat(contents)))
    for (const [each, source] of sources.entries()) {
      const size = contents[each]?.length
      const seen = { state: 'stored', offset: size, length: size, expiresAt: undefined }
      expect(await core.look(source, never)).toMatchObject(seen)
    }
  })

  it.each([
    ['the same one twice', [1_000, 6 * MiB], [0, 1, 0]],
    ['one only, twice', [70_000], [0, 0]],
    ['one only', [70_000], [0]],
    ['an empty one first', [0, 5_000], [0, 1]],
    ['an empty one last', [0, 5_000], [1, 0]],
    ['nothing but empty ones', [0, 0], [0, 1, 0]],
  ])('can be made of %s', async (_, sizes, order) => {
    const contents = contentsOf(...sizes)
    const ids = await partials(contents)
    const { id, state } = await core.concatenate(order.map((each) => ids[each] ?? ''))
    const bytes = Buffer.concat(order.map((each) => contents[each] ?? Buffer.alloc(0)))
    expect(state).toBe('stored')
    expect(await witness.digest(id)).toBe(sha256(bytes))
    await witness.runDiscards()
    expect(await under.listKeys()).toEqual([originalKey(id)])
  })

  it('is the same one when the same list is sent again, and nothing happens twice', async () => {
    const contents = contentsOf(1_000, 2_000)
    const sources = await partials(contents)
    const first = await core.concatenate(sources)
    await witness.runDiscards()
    const again = await core.concatenate(sources)
    expect(again).toMatchObject({ id: first.id, state: 'stored' })
    expect(await witness.digest(first.id)).toBe(sha256(Buffer.concat(contents)))
    expect(await witness.events()).toHaveLength(1)
    expect(await witness.images()).toHaveLength(1)
    expect(await witness.jobs('upload.discard')).toEqual([])
    expect(await witness.ids()).toHaveLength(3)
  })

  it('is the same one for requests that come at the same time', async () => {
    const contents = contentsOf(6 * MiB, 2_000, 3_000)
    const sources = await partials(contents)
    const other = concatenating({ database: test.database, storage: under.storage })
    const answers = await Promise.all(
      [core, other, core, other].map((each) => each.concatenate(sources)),
    )
    expect(new Set(answers.map(({ id }) => id)).size).toBe(1)
    const [{ id = '' } = {}] = answers
    await witness.isStored(id)
    expect(await witness.digest(id)).toBe(sha256(Buffer.concat(contents)))
    expect(await witness.events()).toEqual([['upload.stored', id]])
    expect(await witness.images()).toEqual([id])
    expect(await witness.ids()).toHaveLength(4)
  })

  it('keeps what the client said of it, and none of what it said of the others', async () => {
    const metadata = `filename ${Buffer.from('whole.jpg').toString('base64')}`
    const source = await core.partial(Buffer.from('x'), { filename: 'piece', metadata: 'a b' })
    const given = { metadata, filename: 'whole.jpg', contentType: 'image/jpeg' }
    const { id } = await core.concatenate([source], given)
    expect(await witness.find(id)).toMatchObject(given)
    const { queries } = test.database
    const image = await queries.selectFrom('images').selectAll().executeTakeFirst()
    expect(image).toMatchObject({ id, filename: 'whole.jpg', content_type: 'image/jpeg', size: 1 })
  })
})
