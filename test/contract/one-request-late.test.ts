import { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { storageUnavailable } from '../../src/storage/errors.ts'
import { originalKey } from '../../src/storage/keys.ts'
import { discardHandler } from '../../src/uploads/discard.ts'
import { createTakeFile } from '../../src/uploads/one-request/take-file.ts'
import { createUploadRequests } from '../../src/uploads/service.ts'
import { databaseTargets, type TestDatabase } from '../support/databases.ts'
import { leasesOf } from '../support/leases.ts'
import { type StorageUnderTest, startDisk } from '../support/storage.ts'
import { jobsOf, uploadCore } from '../support/uploads.ts'

const bytes = Buffer.from('a file')
const hour = 3_600_000
const attempt = { jobId: 'job', number: 1, signal: new AbortController().signal }
const limits = { maxSize: 1_000, expiresIn: 24 * hour }

describe.each(databaseTargets)('a file in one request that is not stored, on $name,', (target) => {
  let test: TestDatabase
  let disk: StorageUnderTest

  beforeEach(async () => {
    test = await target.create()
    disk = await startDisk()
  })
  afterEach(async () => {
    await disk.close()
    await test.cleanup()
  })

  function take(storage: StorageUnderTest['storage'], stream: Readable) {
    const { database } = test
    const core = uploadCore({ database, storage, leases: leasesOf(database) })
    const { begin } = createUploadRequests({ ...core, database, storage }, limits)
    const file = { owner: 'ann', stream, isChunked: false, announced: bytes.length }
    const said = { contentType: undefined, filename: undefined, key: undefined }
    return createTakeFile({ ...core, database, begin })({ ...file, ...said })
  }
  const runTimes = async () => {
    const rows = await test.database.queries.selectFrom('jobs').select('run_at').execute()
    return rows.map((row) => row.run_at).sort((a, b) => a - b)
  }

  it('leaves nothing though storage carries out later what it gave no answer to', async () => {
    const append = () => Promise.reject(storageUnavailable(new Error('no answer')))
    const began = Date.now()
    const taking = take({ ...disk.storage, append }, Readable.from([bytes]))
    await expect(taking).rejects.toMatchObject({ code: 'storage-unavailable' })

    const [, again = 0] = await runTimes()
    expect(again).toBeGreaterThanOrEqual(began + hour)
    const [, job] = await jobsOf(test.database)
    expect(job?.kind).toBe('upload.discard')
    const { id } = z.object({ id: z.string() }).parse(job?.payload)
    await disk.storage.put(originalKey(id), bytes, 'image/jpeg')
    await discardHandler(disk.storage).run({ id, multipartId: null, tailEpoch: 0 }, attempt)
    expect(await disk.listKeys('uploads/')).toEqual([])
  })

  it('is looked for once when its client hung up', async () => {
    const cut = Readable.from(
      (async function* () {
        yield bytes.subarray(0, 2)
        throw new Error('cut')
      })(),
    )
    await expect(take(disk.storage, cut)).rejects.toThrow('cut')
    expect(await jobsOf(test.database)).toMatchObject([{ kind: 'upload.discard' }])
  })
})
