import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { digest, readStart, sha256OfBytes } from '../../../src/images/original.ts'
import type { ByteRange, ObjectStorage } from '../../../src/storage/contract.ts'
import { contentOf, inChunks, sha256, startDisk } from '../../support/storage.ts'

const never = new AbortController().signal

describe('reading an original', () => {
  it('gives its digest, and its first bytes', async () => {
    await using stack = new AsyncDisposableStack()
    const disk = await startDisk()
    stack.defer(disk.close)
    const content = contentOf(200_000)
    await disk.storage.put('uploads/a', content, 'application/octet-stream')
    expect(await digest(disk.storage, 'uploads/a', never)).toBe(sha256(content))
    expect(await readStart(disk.storage, 'uploads/a', content.length, never)).toEqual(content)
    expect(sha256OfBytes(content)).toBe(sha256(content))
    expect(await readStart(disk.storage, 'uploads/none', 0, never)).toHaveLength(0)
  })

  it('does not read a large object to see what it is', async () => {
    const ranges: (ByteRange | undefined)[] = []
    const large = storageOf((range) => {
      ranges.push(range)
      return Readable.from([contentOf(4_100)])
    })
    expect(await readStart(large, 'uploads/a', 5 * 2 ** 30, never)).toHaveLength(4_100)
    expect(ranges).toEqual([{ start: 0, end: 4_099 }])
  })

  it('is an outage of storage when the bytes break off', async () => {
    const breaking = storageOf(() => Readable.from(inChunks(contentOf(10), 5, new Error('reset'))))
    const failure = {
      code: 'storage-unavailable',
      cause: expect.objectContaining({ message: 'reset' }),
    }
    await expect(digest(breaking, 'uploads/a', never)).rejects.toMatchObject(failure)
    await expect(readStart(breaking, 'uploads/a', 10, never)).rejects.toMatchObject(failure)
  })

  it('ends with the reason of the one who gave it up, not as an outage', async () => {
    const abort = new AbortController()
    const silent = storageOf(() => new Readable({ read: () => abort.abort(new Error('stopping')) }))
    const reading = digest(silent, 'uploads/a', abort.signal)
    await expect(reading).rejects.not.toMatchObject({ code: 'storage-unavailable' })
  })
})

/** Storage of which only `read` is asked. */
function storageOf(read: (range: ByteRange | undefined) => Readable): ObjectStorage {
  const refuse = () => Promise.reject(new Error('not asked for'))
  return {
    describe: () => 'test',
    check: refuse,
    ping: refuse,
    put: refuse,
    putFile: refuse,
    head: refuse,
    remove: refuse,
    close: refuse,
    read: async (_, range) => read(range),
  }
}
