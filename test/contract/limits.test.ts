/** How much, how many and how fast a user may upload, in both protocols. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Limits } from '../../src/uploads/limits/settings.ts'
import { begunId, protocols } from '../support/beginning.ts'
import { databaseTargets, type TestDatabase } from '../support/databases.ts'
import { contentOf, type StorageUnderTest, startDisk } from '../support/storage.ts'
import { deleteUpload, patchUpload, tusHeaders } from '../support/tus-requests.ts'
import { serveTus } from '../support/upload-server.ts'
import { begunUpload } from '../support/uploads.ts'

const cases = databaseTargets.flatMap((target) =>
  protocols.map((each) => ({ ...each, target, name: `${each.protocol} and ${target.name}` })),
)

describe.each(cases)('the limits of a user, with $name', ({ target, protocol, begin }) => {
  let test: TestDatabase
  let disk: StorageUnderTest
  let stack: AsyncDisposableStack

  beforeEach(async () => {
    test = await target.create()
    disk = await startDisk()
    stack = new AsyncDisposableStack()
  })
  afterEach(async () => {
    await stack.disposeAsync()
    await disk.close()
    await test.cleanup()
  })

  async function serve(limits: Partial<Limits>): Promise<string> {
    const served = await serveTus(test.database, disk.storage, { limits })
    stack.use(served.server)
    return served.server.url
  }
  const uploads = () => test.database.queries.selectFrom('uploads').selectAll().execute()
  /** tus clients have no use for a code. */
  async function expectRefused(answer: Response, status: number, code: string): Promise<void> {
    expect(answer.status).toBe(status)
    if (protocol === 'ietf') expect(await answer.json()).toMatchObject({ code })
    else expect(await answer.text()).not.toBe('')
  }

  it('has bytes that are stored and that are begun, and refuses what would be more', async () => {
    const url = await serve({ userMaxBytes: 100 })
    await begunUpload(test.database, { owner: 'somebody else', length: 1_000 })
    expect((await begin(url, { length: 20, bytes: contentOf(20) })).status).toBe(201)
    const begun = begunId(await begin(url, { length: 60 }))
    await expectRefused(await begin(url, { length: 21 }), 413, 'quota-exceeded')
    await expectRefused(
      await begin(url, { length: 21, bytes: contentOf(21) }),
      413,
      'quota-exceeded',
    )
    expect(await uploads()).toHaveLength(3)
    expect((await begin(url, { length: 20 })).status).toBe(201)
    expect((await begin(url, { length: 0 })).status).toBe(201)
    expect((await patchUpload(url, begun, 0, contentOf(60))).status).toBe(204)
    await expectRefused(await begin(url, { length: 1 }), 413, 'quota-exceeded')
    await deleteUpload(url, begun)
    expect((await begin(url, { length: 60 })).status).toBe(201)
  })

  it('has the bytes of an upload without a length as they come, and never ends it', async () => {
    const url = await serve({ userMaxBytes: 100 })
    await expectRefused(await begin(url, { bytes: contentOf(101) }), 413, 'quota-exceeded')
    const id = begunId(await begin(url, { bytes: contentOf(30) }))
    await expectRefused(await begin(url, { length: 71 }), 413, 'quota-exceeded')
    expect((await patchUpload(url, id, 30, contentOf(90))).status).toBe(204)
    await expectRefused(await begin(url, {}), 413, 'quota-exceeded')
    expect((await patchUpload(url, id, 120, contentOf(10))).status).toBe(204)
  })

  it('has so many unfinished uploads, all of which go on', async () => {
    const url = await serve({ userMaxUnfinished: 2 })
    for (const owner of ['x', 'y', 'z']) await begunUpload(test.database, { owner })
    const [one, two] = [await begin(url, { length: 5 }), await begin(url, { length: 5 })].map(
      begunId,
    )
    const more = await begin(url, { length: 5 })
    await expectRefused(more, 429, 'too-many-unfinished')
    await expectRefused(
      await begin(url, { length: 5, bytes: contentOf(5) }),
      429,
      'too-many-unfinished',
    )
    expect((await patchUpload(url, one ?? '', 0, contentOf(5))).status).toBe(204)
    expect((await begin(url, { length: 5, bytes: contentOf(5) })).status).toBe(201)
    expect((await begin(url, { length: 5 })).status).toBe(201)
    await expectRefused(await begin(url, { length: 5 }), 429, 'too-many-unfinished')
    expect((await patchUpload(url, two ?? '', 0, contentOf(5))).status).toBe(204)
  })

  it('begins so many uploads in a minute, and is told where it stands', async () => {
    const url = await serve({ userUploadsPerMinute: 3 })
    const policy = '"uploads";q=3;w=60'
    for (const left of [2, 1, 0]) {
      const bytes = left === 1 ? { bytes: contentOf(5) } : {}
      const { status, headers } = await begin(url, { length: 5, ...bytes })
      expect(status).toBe(201)
      expect(headers.get('RateLimit-Policy')).toBe(policy)
      expect(headers.get('RateLimit')).toMatch(new RegExp(`^"uploads";r=${left};t=\\d+$`))
    }
    const refused = await begin(url, { length: 5, headers: { Origin: 'https://app.example' } })
    expect(refused.headers.get('RateLimit-Policy')).toBe(policy)
    expect(refused.headers.get('RateLimit')).toMatch(/^"uploads";r=0;t=(\d+)$/)
    const retryAfter = Number(refused.headers.get('Retry-After'))
    expect(retryAfter).toBeGreaterThan(0)
    expect(retryAfter).toBeLessThanOrEqual(20)
    const exposed = refused.headers.get('Access-Control-Expose-Headers')?.split(', ')
    expect(exposed).toEqual(expect.arrayContaining(['RateLimit', 'RateLimit-Policy']))
    await expectRefused(refused, 429, 'too-many-uploads')
    await later(retryAfter)
    expect((await begin(url, { length: 5 })).status).toBe(201)
    await expectRefused(await begin(url, { length: 5 }), 429, 'too-many-uploads')
    await later(60)
    const { headers } = await begin(url, { length: 5 })
    expect(headers.get('RateLimit')).toMatch(/;r=2;t=20$/)
  })
  /** As if so many seconds had passed. */
  const later = (seconds: number) =>
    test.database.queries
      .updateTable('upload_rates')
      .set((eb) => ({ full_at: eb('full_at', '-', seconds * 1_000_000) }))
      .execute()

  it('loses none of its rate to what was refused for another reason', async () => {
    const limits = { userMaxBytes: 10, userMaxUnfinished: 1, accept: ['image/*'] }
    const url = await serve({ ...limits, userUploadsPerMinute: 2 })
    await begin(url, { length: 1 })
    for (let each = 0; each < 3; each += 1) {
      await expectRefused(await begin(url, { length: 1 }), 429, 'too-many-unfinished')
      const type = 'text/plain'
      await expectRefused(await begin(url, { length: 1, type }), 415, 'type-not-accepted')
      await expectRefused(await begin(url, { length: 2 ** 41 }), 413, 'upload-too-large')
    }
    await test.database.queries.deleteFrom('uploads').execute()
    await expectRefused(await begin(url, { length: 11 }), 413, 'quota-exceeded')
    const { status, headers } = await begin(url, { length: 1 })
    expect(status).toBe(201)
    expect(headers.get('RateLimit')).toContain(';r=0;')
  })

  it('is not kept waiting by a clock that once was wrong', async () => {
    const url = await serve({ userUploadsPerMinute: 2 })
    await begin(url, { length: 1 })
    await later(-365 * 86_400)
    expect((await begin(url, { length: 1 })).headers.get('RateLimit')).toContain(';r=1;')
  })

  it('is said nothing about where there is none', async () => {
    const url = await serve({})
    const { headers } = await begin(url, { length: 5 })
    expect(headers.has('RateLimit')).toBe(false)
    expect(headers.has('RateLimit-Policy')).toBe(false)
    expect(await test.database.queries.selectFrom('upload_rates').selectAll().execute()).toEqual([])
  })

  it('holds exactly when many begin at once in two processes', async () => {
    for (const [limits, most] of [
      [{ userMaxBytes: 70 }, 7],
      [{ userMaxUnfinished: 9 }, 9],
      [{ userUploadsPerMinute: 5 }, 5],
    ] as const) {
      const urls = [await serve(limits), await serve(limits)]
      const beginnings = Array.from({ length: 40 }, (_, each) =>
        begin(urls[each % 2] ?? '', { length: 10, ...(each % 3 === 0 && { bytes: contentOf(4) }) }),
      )
      const answers = await Promise.all(beginnings)
      expect(answers.filter(({ status }) => status === 201)).toHaveLength(most)
      const others = new Set(answers.map(({ status }) => status).filter((each) => each !== 201))
      expect([...others]).toEqual([most === 7 ? 413 : 429])
      await test.database.queries.deleteFrom('uploads').execute()
      await test.database.queries.deleteFrom('upload_rates').execute()
    }
  })
})

describe.each(databaseTargets)('the bytes of uploads made of others, on $name', (target) => {
  it('count once: of the others while they are not used up, and of the whole then', async () => {
    await using stack = new AsyncDisposableStack()
    const test = await target.create()
    stack.defer(test.cleanup)
    const disk = await startDisk()
    stack.defer(disk.close)
    const limits = { userMaxBytes: 100, userUploadsPerMinute: 1_000, userMaxUnfinished: 3 }
    const { server } = await serveTus(test.database, disk.storage, { limits })
    stack.use(server)
    const post = (headers: Record<string, string>) =>
      fetch(`${server.url}/files`, { method: 'POST', headers: { ...tusHeaders, ...headers } })
    const part = async (length: number) => {
      const headers = { 'Upload-Concat': 'partial', 'Upload-Length': String(length) }
      const answer = await post(headers)
      return answer.status === 201 ? begunId(answer) : answer.status
    }
    const final = (...ids: unknown[]) =>
      post({ 'Upload-Concat': `final;${ids.map((id) => `/files/${id}`).join(' ')}` })
    const patch = (id: unknown, size: number) =>
      patchUpload(server.url, String(id), 0, contentOf(size))

    const [one, two] = [await part(40), await part(50)]
    expect(await part(11)).toBe(413)
    await patch(one, 40)
    expect(await part(11)).toBe(413)
    // What they are made to is larger than they are.
    expect((await final(one, two, one)).status).toBe(413)
    const whole = await final(one, two)
    expect(whole.status).toBe(201)
    expect(whole.headers.has('RateLimit')).toBe(false)
    expect(await part(11)).toBe(413)
    await patch(two, 50)
    expect(await part(11)).toBe(413)
    const small = await part(5)
    await patch(small, 5)
    expect((await final(small, small, small)).status).toBe(413)
    expect((await final(small, small)).status).toBe(201)
    expect(await part(1)).toBe(413)
    await deleteUpload(server.url, begunId(whole))
    expect(await part(90)).toBeTypeOf('string')
  })
})
