import { PassThrough, Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Download } from '../../../src/storage/s3/download.ts'
import { contentOf } from '../../support/storage.ts'

const unavailable = { code: 'storage-unavailable', status: 503 }
const patience = 10_000

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
})
afterEach(() => {
  vi.useRealTimers()
})

it('gives what comes, and leaves nothing behind', async () => {
  const content = contentOf(1_000_000)
  const source = Readable.from([content.subarray(0, 600_000), content.subarray(600_000)])
  const got = await buffer(new Download(source, content.length, patience))
  expect(got.equals(content)).toBe(true)
  expect(vi.getTimerCount()).toBe(0)
})

it('says that bytes are missing at the end', async () => {
  const source = Readable.from([Buffer.from('half')])
  await expect(buffer(new Download(source, 8, patience))).rejects.toMatchObject(unavailable)
})

it('says that the source broke', async () => {
  const source = new PassThrough()
  const broken = new Error('aborted')
  const read = buffer(new Download(source, 8, patience))
  source.write('half')
  source.destroy(broken)
  await expect(read).rejects.toMatchObject({ ...unavailable, cause: broken })
})

it('says that the source closed without an end', async () => {
  const source = new PassThrough()
  const read = buffer(new Download(source, undefined, patience))
  source.destroy()
  await expect(read).rejects.toMatchObject(unavailable)
})

it('ends nothing else when it breaks and nobody reads', async () => {
  const source = new PassThrough()
  const download = new Download(source, 8, patience)
  const closed = new Promise((resolve) => download.once('close', resolve))
  source.destroy(new Error('aborted'))
  await closed
  expect(download.errored).toMatchObject(unavailable)
})

it('gives up a source that is silent while somebody wants to read', async () => {
  const source = new PassThrough()
  const read = buffer(new Download(source, 8, patience))
  const ended = expect(read).rejects.toMatchObject(unavailable)
  source.write('half')
  await vi.advanceTimersByTimeAsync(patience + 1)
  await ended
  expect(source.destroyed).toBe(true)
  expect(vi.getTimerCount()).toBe(0)
})

it('waits for as long as nobody reads', async () => {
  const content = contentOf(500_000)
  const source = Readable.from([content.subarray(0, 200_000), content.subarray(200_000)])
  const download = new Download(source, content.length, patience)
  download.read(0)
  await vi.advanceTimersByTimeAsync(0)
  await vi.waitFor(() => expect(download.readableLength).toBeGreaterThan(0))
  await vi.advanceTimersByTimeAsync(10 * patience)
  expect((await buffer(download)).equals(content)).toBe(true)
})

it('lets go of the source when it is destroyed', async () => {
  const source = new PassThrough()
  const download = new Download(source, 8, patience)
  download.read()
  download.destroy()
  expect(source.destroyed).toBe(true)
  expect(vi.getTimerCount()).toBe(0)
})
