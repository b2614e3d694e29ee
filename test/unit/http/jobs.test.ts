import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { openAuthenticator } from '../../../src/auth/principal.ts'
import { jobSchema, jobWithTriesSchema, totalLoad } from '../../../src/http/job-schemas.ts'
import { pageOf } from '../../../src/http/schemas.ts'
import { newId } from '../../../src/ids.ts'
import { testApp } from '../../support/app.ts'
import { databaseTargets, type TestDatabase } from '../../support/databases.ts'
import { knownJob, MemoryJobs } from '../../support/jobs.ts'
import { type StorageUnderTest, startDisk } from '../../support/storage.ts'

const [sqlite] = databaseTargets
const hour = 3_600_000

describe('the jobs, to an operator,', () => {
  let test: TestDatabase
  let disk: StorageUnderTest
  let jobs: MemoryJobs
  let app: ReturnType<typeof appOf>

  beforeAll(async () => {
    if (!sqlite) throw new Error('no database to test on')
    test = await sqlite.create()
    disk = await startDisk()
  })
  afterAll(async () => {
    await disk.close()
    await test.cleanup()
  })
  beforeEach(() => {
    jobs = new MemoryJobs()
    app = appOf({})
  })

  const appOf = (given: Parameters<typeof testApp>[2]) =>
    testApp(test.database, disk.storage, { jobs, authenticator: openAuthenticator(), ...given })
  const list = async (query = '') => {
    const response = await app.request(`/v1/admin/jobs${query}`)
    expect(response.status).toBe(200)
    return pageOf(jobSchema).parse(await response.json())
  }
  const idsOf = (page: Awaited<ReturnType<typeof list>>) => page.items.map(({ id }) => id)
  const post = (path: string, body: string, type = 'application/json') =>
    app.request(path, { method: 'POST', body, headers: { 'Content-Type': type } })
  const problemOf = async (response: Response) => {
    expect(response.headers.get('Content-Type')).toBe('application/problem+json')
    const { code } = z.object({ code: z.string() }).parse(await response.json())
    return [response.status, code]
  }

  it('are listed newest first, page by page, each once', async () => {
    for (let n = 0; n < 5; n += 1) jobs.jobs.push(knownJob())
    const newestFirst = jobs.jobs
      .map(({ id }) => id)
      .toSorted()
      .toReversed()
    const seen: string[] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const page: Awaited<ReturnType<typeof list>> = await list(
        `?limit=2${cursor && `&cursor=${cursor}`}`,
      )
      seen.push(...idsOf(page))
      cursor = page.nextCursor
    }
    expect(seen).toEqual(newestFirst)
  })

  it('are listed by state, kind and age', async () => {
    const now = Date.now()
    const old = knownJob({ createdAt: now - hour })
    const young = knownJob({ createdAt: now, state: 'queued' })
    const other = knownJob({ createdAt: now, kind: 'storage.remove' })
    jobs.jobs = [old, young, other]
    expect(idsOf(await list('?state=queued'))).toEqual([young.id])
    expect(idsOf(await list('?kind=storage.remove'))).toEqual([other.id])
    const before = new Date(now - hour / 2).toISOString()
    expect(idsOf(await list(`?createdBefore=${before}`))).toEqual([old.id])
    const elsewhere = `${before.slice(0, -1)}${encodeURIComponent('+01:00')}`
    expect(idsOf(await list(`?createdBefore=${elsewhere}`))).toEqual([])
    expect(idsOf(await list('?state=dead&kind=image.convert'))).toEqual([old.id])
  })

  it('come with how many there are to do, and since when', async () => {
    const now = Date.now()
    jobs.jobs = [
      knownJob({ state: 'queued', createdAt: now - hour }),
      knownJob({ state: 'active', createdAt: now - hour / 2 }),
      knownJob({ state: 'dead', createdAt: 0 }),
      // A clock elsewhere is ahead.
      knownJob({ kind: 'storage.remove', state: 'queued', createdAt: now + hour }),
      knownJob({ kind: 'upload.discard', state: 'dead' }),
    ]
    const { depth } = z
      .object({ depth: z.array(z.object({ kind: z.string() }).loose()) })
      .parse(await (await app.request('/v1/admin/jobs?limit=1')).json())
    const [convert, ...rest] = depth
    expect(convert).toMatchObject({ kind: 'image.convert', queued: 1, active: 1, dead: 1 })
    expect(convert?.oldestAgeSeconds).toBeGreaterThanOrEqual(hour / 1_000)
    expect(rest).toEqual([
      { kind: 'storage.remove', queued: 1, active: 0, dead: 0, oldestAgeSeconds: 0 },
      { kind: 'upload.discard', queued: 0, active: 0, dead: 1, oldestAgeSeconds: null },
    ])
  })

  it('are counted over all kinds, with the age of the oldest', () => {
    const now = Date.now()
    const counts = { queued: 1, active: 2, dead: 3 }
    const depths = [now - 1_000, now - hour, undefined].map((oldestCreatedAt, n) => ({
      ...{ kind: `kind ${n}`, ...counts, oldestCreatedAt },
    }))
    const total = { queued: 3, active: 6, dead: 9, oldestAgeSeconds: hour / 1_000 }
    expect(totalLoad(depths, now)).toEqual(total)
    const none = { queued: 0, active: 0, dead: 0, oldestAgeSeconds: null }
    expect(totalLoad([], now)).toEqual(none)
  })

  it('can be looked at with every try', async () => {
    const job = knownJob({
      createdAt: 1_000,
      runAt: 2_000,
      finishedAt: 9_000,
      lastError: 'crashed',
      tries: [
        { startedAt: 3_000, endedAt: 4_000, holder: 'a', outcome: 'failed', error: 'crashed' },
        { startedAt: 5_000, endedAt: undefined, holder: 'b', outcome: undefined, error: undefined },
      ],
    })
    jobs.jobs = [job]
    const response = await app.request(`/v1/admin/jobs/${job.id}`)
    const shown: unknown = await response.json()
    expect(jobWithTriesSchema.parse(shown)).toEqual({
      ...{ id: job.id, kind: job.kind, state: 'dead', payload: job.payload, priority: 0 },
      ...{ attempts: 8, maxAttempts: 8, lastError: 'crashed' },
      createdAt: '1970-01-01T00:00:01.000Z',
      runAt: '1970-01-01T00:00:02.000Z',
      finishedAt: '1970-01-01T00:00:09.000Z',
      tries: [
        {
          startedAt: '1970-01-01T00:00:03.000Z',
          endedAt: '1970-01-01T00:00:04.000Z',
          ...{ holder: 'a', outcome: 'failed', error: 'crashed' },
        },
        {
          startedAt: '1970-01-01T00:00:05.000Z',
          ...{ endedAt: null, holder: 'b', outcome: null, error: null },
        },
      ],
    })
  })

  it('can be tried again, one or all of a kind', async () => {
    const dead = [knownJob(), knownJob(), knownJob()]
    const other = knownJob({ kind: 'storage.remove' })
    jobs.jobs = [...dead, other]
    const one = await app.request(`/v1/admin/jobs/${dead[0]?.id}/retry`, { method: 'POST' })
    expect([one.status, await one.text()]).toEqual([204, ''])
    const all = await post('/v1/admin/jobs/retry', '{"kind":"image.convert"}')
    expect([all.status, await all.json()]).toEqual([200, { retried: 2 }])
    expect(idsOf(await list('?state=dead'))).toEqual([other.id])
    const again = await app.request(`/v1/admin/jobs/${dead[0]?.id}/retry`, { method: 'POST' })
    expect(await problemOf(again)).toEqual([409, 'job-not-dead'])
  })

  it('can be forgotten, but not while they run', async () => {
    const [dead, active] = [knownJob(), knownJob({ state: 'active' })]
    jobs.jobs = [dead, active]
    const discard = (id: string) => app.request(`/v1/admin/jobs/${id}`, { method: 'DELETE' })
    expect((await discard(dead.id)).status).toBe(204)
    expect(await problemOf(await discard(dead.id))).toEqual([404, 'job-not-found'])
    expect(await problemOf(await discard(active.id))).toEqual([409, 'job-running'])
    expect(idsOf(await list())).toEqual([active.id])
  })

  it.each([
    ['GET', '', 404],
    ['DELETE', '', 404],
    ['POST', '/retry', 404],
  ] as const)(
    'are not there under an id that is none, or nobody has: %s',
    async (method, path, status) => {
      for (const id of [newId(), 'not-an-id', '%00']) {
        const response = await app.request(`/v1/admin/jobs/${id}${path}`, { method })
        expect(await problemOf(response)).toEqual([status, 'job-not-found'])
      }
    },
  )

  it.each([
    'state=lost',
    'createdBefore=yesterday',
    'createdBefore=2026-02-30T00:00:00Z',
    'createdBefore=2026-01-01',
    'limit=0',
    'cursor=x',
    'kind=',
    'kind=%00',
  ])('are not listed by what makes no sense: %s', async (query) => {
    const response = await app.request(`/v1/admin/jobs?${query}`)
    expect((await problemOf(response))[0]).toBe(400)
  })

  it.each([
    ['broken off', '{', 400],
    ['without a kind', '{}', 400],
    ['of an empty kind', '{"kind":""}', 400],
    ['of a kind that is no text', '{"kind":7}', 400],
    ['of a kind that PostgreSQL cannot be asked for', '{"kind":"a\\u0000b"}', 400],
    ['that is null', 'null', 400],
    ['that is empty', '', 400],
    ['that is a form', 'kind=image.convert', 415, 'application/x-www-form-urlencoded'],
    ['that is far too long', JSON.stringify({ kind: 'k'.repeat(70_000) }), 413],
  ])('are not tried again for a body %s', async (_, body, status, type?: string) => {
    jobs.jobs = [knownJob()]
    const response = await post('/v1/admin/jobs/retry', body, type)
    expect((await problemOf(response))[0]).toBe(status)
    expect(jobs.jobs[0]?.state).toBe('dead')
  })

  it('are nobody else’s business, whether or not they are there', async () => {
    const job = knownJob()
    jobs.jobs = [job]
    const user = { id: 'somebody', isAdmin: false, isStorage: false }
    app = appOf({ authenticator: { authenticate: async () => user } })
    for (const [method, path] of [
      ['GET', '/v1/admin/jobs'],
      ['GET', `/v1/admin/jobs/${job.id}`],
      ['GET', '/v1/admin/jobs/not-an-id'],
      ['POST', `/v1/admin/jobs/${job.id}/retry`],
      ['POST', '/v1/admin/jobs/retry'],
      ['DELETE', `/v1/admin/jobs/${job.id}`],
    ] as const) {
      const response = await app.request(path, { method })
      expect(await problemOf(response), path).toEqual([403, 'not-an-admin'])
    }
    expect(jobs.jobs).toEqual([job])
  })

  it('may be asked for by a page of another origin, in every way there is', async () => {
    const response = await app.request('/v1/admin/jobs/retry', {
      method: 'OPTIONS',
      headers: { Origin: 'https://one.example', 'Access-Control-Request-Method': 'POST' },
    })
    expect(response.status).toBe(204)
    const methods = response.headers.get('Access-Control-Allow-Methods')?.split(',')
    expect(methods).toEqual(expect.arrayContaining(['GET', 'HEAD', 'POST', 'DELETE']))
  })

  it('are in the description of the API', async () => {
    const { paths } = z
      .object({ paths: z.record(z.string(), z.record(z.string(), z.unknown())) })
      .parse(await (await app.request('/openapi.json')).json())
    const described = Object.entries(paths).filter(([path]) => path.startsWith('/v1/admin/'))
    expect(described.map(([path, methods]) => [path, ...Object.keys(methods)])).toEqual([
      ['/v1/admin/jobs', 'get'],
      ['/v1/admin/jobs/{id}', 'get', 'delete'],
      ['/v1/admin/jobs/{id}/retry', 'post'],
      ['/v1/admin/jobs/retry', 'post'],
    ])
  })
})
