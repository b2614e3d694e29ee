/** Which files are taken, by what is said of them and by what they are. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { originalKey } from '../../src/storage/keys.ts'
import { begunId, protocols } from '../support/beginning.ts'
import { witnessOf } from '../support/concatenation.ts'
import { databaseTargets, type TestDatabase } from '../support/databases.ts'
import { backends, contentOf, MiB, type StorageUnderTest } from '../support/storage.ts'
import { headUpload, patchUpload, tusHeaders } from '../support/tus-requests.ts'
import { serveTus } from '../support/upload-server.ts'
import { usageOf } from '../support/usage.ts'

/** The database has no part in what storage is asked here, so each goes with one. */
const places = databaseTargets.flatMap((target, each) =>
  backends
    .slice(each, each + 1)
    .map((backend) => ({ target, backend, name: `${target.name} and ${backend.name}` })),
)

const magic = Buffer.from(
  '89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489',
  'hex',
)
/** Begins as a PNG does. */
const png = (size: number) => Buffer.concat([magic, contentOf(size)]).subarray(0, size)
const text = (size: number) => Buffer.alloc(size, 'Dear diary, today I was no image. ')
const pdf = (size: number) => Buffer.concat([Buffer.from('%PDF-1.7\n'), contentOf(size)])
const svg = Buffer.from('<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>')

describe.each(places)('a server that takes only images, with $name', ({ target, backend }) => {
  let test: TestDatabase
  let under: StorageUnderTest
  let served: Awaited<ReturnType<typeof serveTus>>
  let url: string
  let witness: ReturnType<typeof witnessOf>

  beforeEach(async () => {
    test = await target.create()
    under = await backend.start()
    served = await serveTus(test.database, under.storage, {
      limits: { accept: ['image/*'] },
    })
    url = served.server.url
    witness = witnessOf(test.database, under.storage)
  })
  afterEach(async () => {
    await served.server[Symbol.asyncDispose]()
    await under.close()
    await test.cleanup()
  })

  const rows = () => test.database.queries.selectFrom('uploads').selectAll().execute()
  /** The upload has failed, its owner is told why, and nothing is left of it. */
  async function expectFailed(id: string): Promise<void> {
    expect(await witness.find(id)).toMatchObject({
      state: 'failed',
      failure: expect.stringContaining('type'),
    })
    expect((await headUpload(url, id)).status).toBe(410)
    expect(await witness.images()).toEqual([])
    expect(await witness.events()).toEqual([])
    expect(await usageOf(test.database)).toEqual({ truth: {}, kept: {} })
    await witness.sweep()
    await witness.runDiscards()
    expect(await under.listKeys()).toEqual([])
  }
  async function expectTaken(id: string): Promise<void> {
    expect(await witness.find(id)).toMatchObject({ state: 'stored' })
    expect(await witness.images()).toContain(id)
    expect(await under.storage.head(originalKey(id))).toBeDefined()
  }

  describe.each(protocols)('by $protocol', ({ protocol, begin }) => {
    it('stores nothing of what is said to be something else', async () => {
      for (const type of ['text/plain', 'application/pdf', 'Text/Plain', 'imagex/png']) {
        for (const bytes of [undefined, png(100)]) {
          const answer = await begin(url, { length: 100, type, ...(bytes && { bytes }) })
          expect(answer.status).toBe(415)
          if (protocol === 'ietf') {
            expect(await answer.json()).toMatchObject({ code: 'type-not-accepted' })
          } else expect(await answer.text()).toContain('image/*')
        }
      }
      expect(await rows()).toEqual([])
    })

    it('has an image go on that is said to be one, or nothing in particular', async () => {
      for (const type of ['image/png', 'IMAGE/PNG', 'application/octet-stream', 'nonsense']) {
        await expectTaken(begunId(await begin(url, { length: 100, bytes: png(100), type })))
      }
    })

    it('refuses what comes at once and is no image, whatever it is said to be', async () => {
      for (const bytes of [text(1_000), pdf(1_000), text(3 * MiB)]) {
        const answer = await begin(url, { length: bytes.length, type: 'image/png', bytes })
        expect(answer.status).toBe(415)
        const [newest] = (await rows()).sort((a, b) => (a.id < b.id ? 1 : -1))
        await expectFailed(newest?.id ?? '')
      }
      expect(await rows()).toHaveLength(3)
    })

    it('takes an image that comes at once, be it small, larger, or an SVG', async () => {
      for (const bytes of [png(1_000), png(3 * MiB), svg]) {
        await expectTaken(begunId(await begin(url, { length: bytes.length, bytes })))
      }
    })

    it('refuses with the last byte what comes in several requests', async () => {
      const bytes = text(6 * MiB)
      const id = begunId(await begin(url, { length: bytes.length, type: 'image/png' }))
      const half = bytes.length / 2
      expect((await patchUpload(url, id, 0, bytes.subarray(0, half))).status).toBe(204)
      expect((await patchUpload(url, id, half, bytes.subarray(half))).status).toBe(415)
      await expectFailed(id)
    })

    it('takes an image that comes in several requests', async () => {
      for (const bytes of [png(1_000), svg]) {
        const id = begunId(await begin(url, { length: bytes.length }))
        expect((await patchUpload(url, id, 0, bytes.subarray(0, 3))).status).toBe(204)
        expect((await patchUpload(url, id, 3, bytes.subarray(3))).status).toBe(204)
        await expectTaken(id)
      }
    })
  })

  it('refuses a file that is empty', async () => {
    const headers = { ...tusHeaders, 'Upload-Length': '0' }
    const answer = await fetch(`${url}/files`, { method: 'POST', headers })
    expect(answer.status).toBe(415)
    const [row] = await rows()
    await expectFailed(row?.id ?? '')
  })

  it('looks at uploads made of others, and not at those others', async () => {
    const post = (headers: Record<string, string>) =>
      fetch(`${url}/files`, { method: 'POST', headers: { ...tusHeaders, ...headers } })
    const part = async (bytes: Buffer) => {
      const size = { 'Upload-Concat': 'partial', 'Upload-Length': String(bytes.length) }
      const id = begunId(await post(size))
      expect((await patchUpload(url, id, 0, bytes)).status).toBe(204)
      return id
    }
    const final = (ids: readonly string[], headers: Record<string, string> = {}) => {
      const urls = ids.map((id) => `/files/${id}`).join(' ')
      return post({ 'Upload-Concat': `final;${urls}`, ...headers })
    }
    const bytes = png(1_000)
    const good = [await part(bytes.subarray(0, 500)), await part(bytes.subarray(500))]
    const metadata = { 'Upload-Metadata': `filetype ${btoa('text/plain')}` }
    expect((await final(good, metadata)).status).toBe(415)
    const taken = await final(good)
    expect(taken.status).toBe(201)
    await expectTaken(begunId(taken))
    await served.remove(begunId(taken))
    await test.database.queries.deleteFrom('events').execute()
    await test.database.queries.deleteFrom('images').execute()

    const bad = [await part(text(500)), await part(bytes)]
    expect((await final(bad)).status).toBe(415)
    const failed = (await rows()).find(({ sources }) => sources !== null)
    await expectFailed(failed?.id ?? '')
  })
})
