/** What was uploaded can be read again, whatever it is called and however it is asked for. */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { filenameOf } from '../../src/uploads/metadata.ts'
import { storedUpload, testApp } from '../support/app.ts'
import { databaseTargets, type TestDatabase } from '../support/databases.ts'
import { contentOf, type StorageUnderTest, startDisk } from '../support/storage.ts'
import { propertyTimeoutMs, runs } from './support/runs.ts'
import { anyString, fieldValue } from './support/texts.ts'

const content = contentOf(300)

describe.each(databaseTargets)('a stored upload, on $name', (target) => {
  let test: TestDatabase
  let under: StorageUnderTest
  let app: ReturnType<typeof testApp>
  let id: string

  beforeAll(async () => {
    test = await target.create()
    under = await startDisk()
    app = testApp(test.database, under.storage)
    id = await storedUpload(test.database, under.storage, content)
  })
  afterAll(async () => {
    await under.close()
    await test.cleanup()
  })

  const get = (path: string, headers: Record<string, string> = {}) => app.request(path, { headers })

  it(
    'can be read whatever its client called it',
    async () => {
      const long = fc
        .tuple(fc.nat(4), anyString)
        .map(([more, end]) => 'a'.repeat(1_020 + more) + end)
      const name = fc.oneof(anyString, fc.string({ unit: 'binary' }), long)
      await fc.assert(
        fc.asyncProperty(name, async (name) => {
          const filename = filenameOf({ filename: name })
          await test.database.queries
            .updateTable('uploads')
            .set({ filename: filename ?? null })
            .where('id', '=', id)
            .execute()
          const answer = await get(`/v1/uploads/${id}/content`)
          expect(answer.status).toBe(200)
          expect(answer.headers.get('Content-Disposition')).toMatch(/^(inline|attachment)(;|$)/)
          expect((await get(`/v1/uploads/${id}`)).status).toBe(200)
        }),
        runs(300),
      )
    },
    propertyTimeoutMs,
  )

  it(
    'gives the bytes of a range, or all, or says that there are none, whatever is asked for',
    async () => {
      const number = fc.oneof(
        fc.nat(310).map(String),
        fc.constantFrom('', '-1', '1e2', '99999999999999999999'),
      )
      const range = fc.tuple(number, number).map(([start, end]) => `bytes=${start}-${end}`)
      const field = fc.oneof(
        fieldValue,
        range,
        fc.tuple(range, fieldValue).map((parts) => parts.join(',')),
      )
      const conditions = fc.record(
        { 'If-Range': fieldValue, 'If-None-Match': fieldValue, 'If-Modified-Since': fieldValue },
        { requiredKeys: [] },
      )
      await fc.assert(
        fc.asyncProperty(field, conditions, async (range, conditions) => {
          const answer = await get(`/v1/uploads/${id}/content`, { ...conditions, Range: range })
          const body = Buffer.from(await answer.arrayBuffer())
          const told = /^bytes (\d+)-(\d+)\/300$/.exec(answer.headers.get('Content-Range') ?? '')
          if (answer.status === 206) {
            const [start, end] = [Number(told?.[1]), Number(told?.[2])]
            expect(body).toEqual(content.subarray(start, end + 1))
            expect(range).toMatch(/^\s*bytes/)
          } else if (answer.status === 200) expect(body).toEqual(content)
          else expect([304, 416]).toContain(answer.status)
        }),
        runs(400),
      )
    },
    propertyTimeoutMs,
  )

  it(
    'is listed or a cursor refused, whatever the query says',
    async () => {
      const cursor = fc.oneof(
        anyString,
        anyString.map((text) => Buffer.from(text).toString('base64url')),
      )
      const query = fc.record({ cursor, limit: anyString }, { requiredKeys: [] })
      await fc.assert(
        fc.asyncProperty(query, async (query) => {
          const { status } = await get(`/v1/uploads?${new URLSearchParams(query)}`)
          expect([200, 400]).toContain(status)
        }),
        runs(200),
      )
    },
    propertyTimeoutMs,
  )
})
