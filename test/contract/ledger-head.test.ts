import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { newId } from '../../src/ids.ts'
import { releaseLease } from '../../src/uploads/lease-records.ts'
import { markFailed } from '../../src/uploads/ledger.ts'
import { databaseTargets, type TestDatabase } from '../support/databases.ts'
import { leaseOf, writer } from '../support/leases.ts'
import { countStatements } from '../support/statements.ts'
import { type StorageUnderTest, startDisk } from '../support/storage.ts'
import { serveTus } from '../support/upload-server.ts'
import { begunUpload, countCalls, record, wholeUpload } from '../support/uploads.ts'

describe.each(databaseTargets)('HEAD on $name', (target) => {
  let test: TestDatabase
  let disk: StorageUnderTest
  let tus: Awaited<ReturnType<typeof serveTus>>
  let statements: readonly string[]
  let calls: string[]

  beforeEach(async () => {
    test = await target.create()
    disk = await startDisk()
    const counting = countStatements(test.database)
    const storage = countCalls(disk.storage)
    statements = counting.statements
    calls = storage.calls
    tus = await serveTus(counting.database, storage.counted)
  })
  afterEach(async () => {
    await tus.server[Symbol.asyncDispose]()
    await disk.close()
    await test.cleanup()
  })

  const head = (id: string) =>
    fetch(`${tus.server.url}/files/${id}`, {
      method: 'HEAD',
      headers: { 'Tus-Resumable': '1.0.0' },
    })

  it.each([0, 1_000])(
    'invariant 2: is one indexed read and no call of storage, with %d parts',
    async (count) => {
      const id = await begunUpload(test.database, { length: 2 ** 40 })
      const lease = await leaseOf(test.database, id)
      const parts = Array.from({ length: count }, (_, n) => ({ number: n + 1, size: 5, etag: 'e' }))
      const tail = { key: 'uploads/x.tail', size: 3, crc32: 1 }
      await record(test.database, lease, count * 5 + 3, { multipartId: 'm', parts, tail })
      await releaseLease(test.database.queries, lease)
      const response = await head(id)
      expect(response.status).toBe(200)
      expect(response.headers.get('Upload-Offset')).toBe(String(count * 5 + 3))
      expect(response.headers.get('Upload-Length')).toBe(String(2 ** 40))
      expect(statements).toHaveLength(1)
      expect(statements[0]).toMatch(/from "uploads" where "id" = \S+$/)
      expect(calls).toEqual([])
    },
  )

  it('asks a request that is writing to let go first, and says what that one recorded', async () => {
    const id = await begunUpload(test.database)
    const writing = writer(tus.leases, id, {
      work: async (lease) => {
        await new Promise((resolve) => lease.letGo.addEventListener('abort', resolve))
        await record(test.database, lease, 7)
      },
    })
    await writing.began
    writing.finish()
    expect((await head(id)).headers.get('Upload-Offset')).toBe('7')
  })

  it('tells the full length of no upload but one that is stored, and finishes it if need be', async () => {
    const id = await wholeUpload(test.database, { length: 0 })
    const response = await head(id)
    expect(response.headers.get('Upload-Offset')).toBe('0')
    expect(calls).toEqual(['complete'])
    const stored = await test.database.queries.selectFrom('uploads').select('state').execute()
    expect(stored).toEqual([{ state: 'stored' }])
  })

  it('never says of an upload whose object is not there that it is whole', async () => {
    // Its bytes are recorded, but storage has nothing of them.
    const id = await wholeUpload(test.database, { length: 10 })
    const response = await head(id)
    expect(response.status).toBe(410)
    expect(response.headers.get('Upload-Offset')).toBeNull()
    expect((await head(id)).status).toBe(410)
  })

  it('answers 423 while the object cannot be made, so that the client comes again', async () => {
    const id = await wholeUpload(test.database, { length: 10 })
    await leaseOf(test.database, id, { holder: 'elsewhere', lastsMs: 60_000 })
    const response = await head(id)
    expect(response.status).toBe(423)
    expect(response.headers.get('Retry-After')).toBeTruthy()
    expect(response.headers.get('Upload-Offset')).toBeNull()
  })

  it('answers 410 for what failed or expired, and 404 for what never was', async () => {
    const failed = await begunUpload(test.database)
    await markFailed(test.database.queries, await leaseOf(test.database, failed), 'lost')
    const expired = await begunUpload(test.database, { expiresAt: 1 })
    for (const [id, status] of [
      [failed, 410],
      [expired, 410],
      [newId(), 404],
      ['not-an-id', 404],
    ] as const) {
      expect((await head(id)).status).toBe(status)
    }
    expect(statements.length).toBe(3)
    expect(calls).toEqual([])
  })

  it('is not alone in that: PATCH and DELETE know what is over the moment it is', async () => {
    const id = await begunUpload(test.database, { expiresAt: Date.now() - 1 })
    const send = (method: string, body?: string) =>
      fetch(`${tus.server.url}/files/${id}`, {
        method,
        ...(body && { body }),
        headers: {
          'Tus-Resumable': '1.0.0',
          'Upload-Offset': '0',
          'Content-Type': 'application/offset+octet-stream',
        },
      })
    expect((await send('PATCH', 'x')).status).toBe(410)
    expect((await send('DELETE')).status).toBe(204)
    expect((await send('PATCH', 'x')).status).toBe(404)
    expect(calls).toEqual([])
  })
})
