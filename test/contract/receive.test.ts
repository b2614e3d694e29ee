import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Storage } from '../../src/storage/contract.ts'
import { originalKey } from '../../src/storage/keys.ts'
import { RequestBody } from '../../src/uploads/body.ts'
import type { Lease } from '../../src/uploads/held-lease.ts'
import { voidLeases } from '../../src/uploads/lease-records.ts'
import { findUpload } from '../../src/uploads/ledger.ts'
import { jpeg } from '../fixtures/images.ts'
import { databaseTargets, type TestDatabase } from '../support/databases.ts'
import { aborted, leaseOf, leasesOf, never } from '../support/leases.ts'
import { contentOf, digestOf, inChunks, sha256, startDisk } from '../support/storage.ts'
import { begunUpload, jobsOf, newUpload, progressTo, uploadCore } from '../support/uploads.ts'
import { waitFor } from '../support/wait.ts'

const content = contentOf(300_000)

describe.each(databaseTargets)('receiving bytes on $name', (target) => {
  let test: TestDatabase
  let disk: Awaited<ReturnType<typeof startDisk>>
  let core: ReturnType<typeof uploadCore>

  beforeEach(async () => {
    test = await target.create()
    disk = await startDisk()
    core = uploadCore({ database: test.database, storage: disk.storage })
  })
  afterEach(async () => {
    await disk.close()
    await test.cleanup()
  })

  const begin = (length: number | undefined = content.length) =>
    begunUpload(test.database, { length })
  const find = (id: string) => findUpload(test.database.queries, id)
  const body = (start: number, end = content.length, error?: Error) =>
    inChunks(content.subarray(start, end), 1_000, error)
  /** One request: takes the lease, as the protocols do. */
  const receive = (id: string, bytes: AsyncIterable<Buffer>, { receive: via } = core) =>
    core.leases.hold(id, never, async (_, lease) => {
      if (!lease) throw new Error('it takes no more bytes')
      return via(lease, bytes)
    })
  const digest = (id: string) => digestOf(disk.storage, originalKey(id))

  it('says where the upload stands after each request, and stores it with the last', async () => {
    const id = await begin()
    const first = await receive(id, body(0, 100_000))
    expect(first).toMatchObject({ offset: 100_000, stored: false })
    expect(await find(id)).toMatchObject({ state: 'receiving', offset: 100_000 })
    const last = await receive(id, body(100_000))
    expect(last).toMatchObject({ offset: content.length, stored: true })
    expect(await find(id)).toMatchObject({ state: 'stored', offset: content.length })
    expect(await digest(id)).toBe(sha256(content))
  })

  it('keeps what arrived before a connection broke', async () => {
    const id = await begin()
    const broken = receive(id, body(0, 123_456, new Error('reset by peer')))
    await expect(broken).rejects.toThrow('reset by peer')
    expect(await find(id)).toMatchObject({ state: 'receiving', offset: 123_456 })
    await receive(id, body(123_456))
    expect(await digest(id)).toBe(sha256(content))
  })

  it('takes no more than the upload has room for, and keeps what it had', async () => {
    const id = await begin(1_000)
    const tooLong = receive(id, inChunks(content.subarray(0, 1_500), 300))
    await expect(tooLong).rejects.toMatchObject({ code: 'upload-too-long', status: 413 })
    expect(await find(id)).toMatchObject({ offset: 1_000 })
  })

  it('takes an upload of unknown length as far as it comes', async () => {
    const id = await begunUpload(test.database, { length: undefined })
    expect(await receive(id, body(0, 5_000))).toMatchObject({ offset: 5_000, stored: false })
    expect(await find(id)).toMatchObject({ state: 'receiving', length: undefined })
  })

  it('reports an upload as failed from the moment its bytes are found to be gone', async () => {
    const id = await begin()
    await receive(id, body(0, 1_000))
    await rm(join(disk.directory, 'uploads'), { recursive: true })
    await expect(receive(id, body(1_000))).rejects.toMatchObject({
      code: 'upload-lost',
      status: 410,
    })
    expect(await find(id)).toMatchObject({
      state: 'failed',
      failure: expect.stringContaining('no longer'),
    })
  })

  it('knows no upload that is gone by the time it begins', async () => {
    const id = await begin()
    const lease = await leaseOf(test.database, id)
    await test.database.queries.deleteFrom('uploads').execute()
    await expect(core.receive(lease, body(0))).rejects.toMatchObject({ code: 'upload-not-found' })
    expect(newUpload().id).not.toBe(id)
  })

  it('says until when an upload can be continued just as the ledger does', async () => {
    const id = await begin()
    const { expiresAt } = await receive(id, body(0, 1_000))
    expect(await find(id)).toMatchObject({ expiresAt })
  })

  it('leaves the time of an upload as it is after a request that brought nothing', async () => {
    const expiresAt = Date.now() + 5_000
    const id = await begunUpload(test.database, { length: 10, expiresAt })
    const unchanged = { offset: 0, stored: false, expiresAt: undefined }
    expect(await receive(id, body(0, 0))).toEqual(unchanged)
    expect(await find(id)).toMatchObject({ expiresAt })
  })

  it('invariant 1: what is acknowledged is what the ledger has, when storage stops half-way', async () => {
    const id = await begin()
    const failing: Storage = {
      ...disk.storage,
      append: (position, bytes, record, signal) =>
        disk.storage.append(position, bytes, record, signal).then(() => {
          throw new Error('storage broke')
        }),
    }
    const { receive: via } = uploadCore({ database: test.database, storage: failing })
    await expect(receive(id, body(0, 50_000), { ...core, receive: via })).rejects.toThrow('broke')
    expect(await find(id)).toMatchObject({ offset: 50_000, state: 'receiving' })
    await receive(id, body(50_000))
    expect(await digest(id)).toBe(sha256(content))
  })

  describe('when storage makes the object in one piece', () => {
    const wholeStorage = (): Storage => ({
      ...disk.storage,
      complete: () => Promise.reject(new Error('there is nothing to complete')),
      async append(position, arriving, record) {
        const bytes = await buffer(Readable.from(arriving))
        await disk.storage.put(originalKey(position.id), bytes, 'any/type')
        await record(progressTo(bytes.length, { whole: true }))
        return bytes.length
      },
    })

    it('invariant 6: it is stored with its image, its job and its event, without a step between', async () => {
      const photo = Buffer.concat([await jpeg(), content])
      const id = await begin(photo.length)
      core = uploadCore({ database: test.database, storage: wholeStorage() })
      const received = await receive(id, inChunks(photo, 1_000))
      expect(received).toMatchObject({ offset: photo.length, stored: true })
      expect(await find(id)).toMatchObject({ state: 'stored', offset: photo.length })
      expect(await digest(id)).toBe(sha256(photo))
      expect(await jobsOf(test.database)).toEqual([
        { kind: 'image.convert', payload: { imageId: id } },
      ])
      const { queries } = test.database
      expect(await queries.selectFrom('images').select('id').execute()).toEqual([{ id }])
      const events = await queries.selectFrom('events').select(['type', 'subject']).execute()
      expect(events).toEqual([{ type: 'upload.stored', subject: id }])
      expect(core.queue.woken).toBe(1)
    })

    it('nothing of it counts for a writer that lost its lease, and the upload goes on', async () => {
      const id = await begin()
      const lease = await leaseOf(test.database, id)
      await voidLeases(test.database.queries, ['somebody'])
      const { receive: via } = uploadCore({ database: test.database, storage: wholeStorage() })
      await expect(via(lease, body(0))).rejects.toMatchObject({ code: 'lease-lost' })
      expect(await find(id)).toMatchObject({ state: 'receiving', offset: 0 })
      expect(await jobsOf(test.database)).toEqual([])
      await receive(id, body(0))
      expect(await digest(id)).toBe(sha256(content))
    })
  })

  describe('when another request comes in the middle', () => {
    /** A request whose client has sent so much, and then is silent. */
    function request(id: string, sent: Buffer, leases = leasesOf(test.database)) {
      const stream: Readable = new PassThrough({ highWaterMark: 1 })
      const began = Promise.withResolvers<Lease>()
      const over = leases.hold(id, never, async (_, lease) => {
        if (!lease) throw new Error('no lease')
        const options = { until: lease.letGo, limit: content.length }
        const requestBody = new RequestBody(stream, options)
        const receiving = core.receive(lease, requestBody)
        for (let start = 0; start < sent.length; start += 10_000) {
          stream.push(sent.subarray(start, start + 10_000))
        }
        began.resolve(lease)
        return receiving
      })
      over.catch(began.reject)
      return { stream, over, began: began.promise, leases }
    }

    it('every byte that arrived is kept, and the new one goes on from there', async () => {
      const id = await begin()
      const first = request(id, content.subarray(0, 250_000))
      const { letGo, lost } = await first.began
      await waitFor(() => first.stream.readableLength === 0)
      const second = first.leases.hold(id, never, async (upload, lease) => {
        if (!lease) throw new Error('no lease')
        expect(upload.offset).toBe(250_000)
        return core.receive(lease, body(upload.offset))
      })
      await aborted(letGo)
      expect(await first.over).toMatchObject({ offset: 250_000, stored: false })
      expect(lost.aborted).toBe(false)
      expect(await second).toMatchObject({ stored: true })
      expect(await digest(id)).toBe(sha256(content))
      first.stream.destroy()
    })

    it('storage is told at once that the lease is lost, whatever it waits for', async () => {
      const id = await begin()
      const lost = new AbortController()
      const lease = { ...(await leaseOf(test.database, id)), lost: lost.signal }
      const reason = new Error('somebody else has it')
      const waiting: Storage = {
        ...disk.storage,
        append: async (_position, _body, _record, signal) => {
          queueMicrotask(() => lost.abort(reason))
          throw await aborted(signal)
        },
      }
      const { receive: via } = uploadCore({ database: test.database, storage: waiting })
      await expect(via(lease, body(0))).rejects.toBe(reason)
    })

    it('a writer that lost its lease stops, though its client goes on sending', async () => {
      const id = await begin()
      const leases = leasesOf(test.database, { times: { renew: 10, lease: 60_000 } })
      await leases.start()
      const first = request(id, content.subarray(0, 50_000), leases)
      await first.began
      await waitFor(() => first.stream.readableLength === 0)
      await voidLeases(test.database.queries, ['here'])
      await expect(first.over).rejects.toMatchObject({ code: 'lease-lost', status: 423 })
      expect(await find(id)).toMatchObject({ offset: 0 })
      first.stream.push(content)
      await leases.stop()
      expect(first.stream.isPaused()).toBe(true)
      await receive(id, body(0))
      expect(await digest(id)).toBe(sha256(content))
      first.stream.destroy()
    })
  })
})
