import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { defaultPresets } from '../../src/conversion/presets.ts'
import { imageListener } from '../../src/images/upload-listener.ts'
import { originalKey } from '../../src/storage/keys.ts'
import { createFinish } from '../../src/uploads/finish.ts'
import { createUpload, findUpload } from '../../src/uploads/ledger.ts'
import { createReceive, type Receive } from '../../src/uploads/receive.ts'
import { createWriters } from '../../src/uploads/writers.ts'
import { databaseTargets, type TestDatabase } from '../support/databases.ts'
import { contentOf, digestOf, inChunks, sha256, startDisk } from '../support/storage.ts'
import { idleQueue, newUpload } from '../support/uploads.ts'

const content = contentOf(300_000)

describe.each(databaseTargets)('receiving bytes on $name', (target) => {
  let test: TestDatabase
  let disk: Awaited<ReturnType<typeof startDisk>>
  let receive: Receive

  beforeEach(async () => {
    test = await target.create()
    disk = await startDisk()
    const queue = idleQueue()
    const { database } = test
    const { storage } = disk
    const finish = createFinish({
      database,
      storage,
      queue,
      listener: imageListener(queue, defaultPresets),
    })
    receive = createReceive({ database, storage, writers: createWriters(), finish })
  })
  afterEach(async () => {
    await disk.close()
    await test.cleanup()
  })

  const begin = async (): Promise<string> => {
    const upload = newUpload({ length: content.length })
    await createUpload(test.database.queries, upload)
    return upload.id
  }
  const find = (id: string) => findUpload(test.database.queries, id)
  const body = (start: number, end = content.length, error?: Error) =>
    Readable.from(inChunks(content.subarray(start, end), 1_000, error))

  it('says where the upload stands after each request, and stores it with the last', async () => {
    const id = await begin()
    expect(await receive(id, 0, body(0, 100_000))).toBe(100_000)
    expect(await find(id)).toMatchObject({ state: 'receiving', offset: 100_000 })
    expect(await receive(id, 100_000, body(100_000))).toBe(content.length)
    expect(await find(id)).toMatchObject({ state: 'stored', offset: content.length })
    expect(await digestOf(disk.storage, originalKey(id))).toBe(sha256(content))
  })

  it('keeps what arrived before a connection broke', async () => {
    const id = await begin()
    const broken = receive(id, 0, body(0, 123_456, new Error('reset by peer')))
    await expect(broken).rejects.toThrow('reset by peer')
    expect(await find(id)).toMatchObject({ state: 'receiving', offset: 123_456 })
    await receive(id, 123_456, body(123_456))
    expect(await digestOf(disk.storage, originalKey(id))).toBe(sha256(content))
  })

  it('takes nothing at another offset than the one recorded', async () => {
    const id = await begin()
    await receive(id, 0, body(0, 1_000))
    for (const wrong of [0, 999, 1_001]) {
      await expect(receive(id, wrong, body(wrong))).rejects.toMatchObject({
        code: 'offset-mismatch',
      })
    }
    expect(await find(id)).toMatchObject({ offset: 1_000 })
  })

  it('takes nothing more for an upload that is stored', async () => {
    const id = await begin()
    await receive(id, 0, body(0))
    expect(await receive(id, content.length, body(0))).toBe(content.length)
    expect(await digestOf(disk.storage, originalKey(id))).toBe(sha256(content))
  })

  it('reports an upload as failed from the moment its bytes are found to be gone', async () => {
    const id = await begin()
    await receive(id, 0, body(0, 1_000))
    await rm(join(disk.directory, 'uploads'), { recursive: true })
    await expect(receive(id, 1_000, body(1_000))).rejects.toMatchObject({ code: 'upload-lost' })
    expect(await find(id)).toMatchObject({
      state: 'failed',
      failure: expect.stringContaining('no longer'),
    })
  })

  it('knows no upload that was not begun', async () => {
    await expect(receive(newUpload().id, 0, body(0))).rejects.toMatchObject({
      code: 'upload-not-found',
    })
  })
})
