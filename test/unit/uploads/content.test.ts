import { PassThrough } from 'node:stream'
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it, vi } from 'vitest'
import { RequestBody } from '../../../src/uploads/body.ts'
import { type Examiner, observe } from '../../../src/uploads/content.ts'
import { drain } from '../../support/bodies.ts'
import { never } from '../../support/leases.ts'
import { contentOf, inChunks, MiB, sha256 } from '../../support/storage.ts'

const headSize = 100
const unknown = { contentType: undefined, refusal: undefined }
/** What is examined comes back. */
const examiner: Examiner = { headSize, examine: async (content) => ({ ...content, ...unknown }) }
const startOf = (length: number | undefined) => ({ offset: 0, length })

/** Looks at a body that comes in these chunks, up to its end. */
async function look(chunks: readonly Buffer[]) {
  const content = Buffer.concat(chunks)
  const observed = observe(bodyOf(chunks), startOf(content.length), examiner)
  const { read, error } = await drain(observed)
  expect(error).toBeUndefined()
  expect(read.equals(content)).toBe(true)
  return observed.examined(content.length)
}

async function* bodyOf(chunks: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* chunks
}

describe('looking at what arrives', () => {
  it('passes the very chunks on, in order', async () => {
    const chunks = [3, 1, 0, 250, 7].map((size, seed) => contentOf(size, seed))
    const passed: Buffer[] = []
    for await (const chunk of observe(bodyOf(chunks), startOf(261), examiner)) passed.push(chunk)
    expect(passed).toHaveLength(chunks.length)
    for (const [index, chunk] of passed.entries()) expect(chunk).toBe(chunks[index])
  })

  it.each([
    ['is shorter than the head', [60]],
    ['is as long as the head', [100]],
    ['is longer than the head by a byte', [101]],
    ['has its head in its first chunk', [5_000, 3_000]],
    ['has its head in several chunks', [1, 40, 58, 2, 900]],
    ['has a head that ends with a chunk', [60, 40, 500]],
    ['has empty chunks', [0, 30, 0, 0, 90, 0]],
    ['has no bytes at all', [0]],
    ['has not even a chunk', []],
  ])('knows the digest and the first bytes of a file that %s', async (_, sizes) => {
    const chunks = sizes.map((size, seed) => contentOf(size, seed))
    const content = Buffer.concat(chunks)
    expect(await look(chunks)).toEqual({
      sha256: sha256(content),
      head: content.subarray(0, headSize),
      ...unknown,
    })
  })

  it('examines once, as soon as it is told that all of it is there', async () => {
    const content = contentOf(500)
    const examine = vi.fn(examiner.examine)
    const observed = observe(inChunks(content, 200), startOf(500), { headSize, examine })
    observed.examine()
    await drain(observed)
    expect(examine).not.toHaveBeenCalled()
    observed.examine()
    observed.examine()
    expect(examine).toHaveBeenCalledOnce()
    expect(await observed.examined(500)).toMatchObject({ sha256: sha256(content) })
    expect(examine).toHaveBeenCalledOnce()
  })

  it('examines nothing that is not all of it', async () => {
    const examine = vi.fn(examiner.examine)
    const observed = observe(inChunks(contentOf(500), 200), startOf(501), { headSize, examine })
    await drain(observed)
    observed.examine()
    expect(examine).not.toHaveBeenCalled()
  })

  it('is not confused by bytes that come after the last', async () => {
    const content = contentOf(501)
    const chunks = observe(inChunks(content, 500), startOf(500), examiner)
    const body = chunks[Symbol.asyncIterator]()
    await body.next()
    expect(await chunks.examined(500)).toMatchObject({ sha256: sha256(content.subarray(0, 500)) })
    expect((await body.next()).value).toHaveLength(1)
    chunks.examine()
    expect(await chunks.examined(501)).toBeUndefined()
    await delay(20)
  })

  it('says what examining failed with to whoever wants to know, and to nobody else', async () => {
    const error = new Error('cannot be read')
    const failing: Examiner = { headSize, examine: () => Promise.reject(error) }
    const observed = observe(inChunks(contentOf(500), 200), startOf(500), failing)
    await drain(observed)
    observed.examine()
    // An error that nobody takes would end the process here.
    await turn()
    await expect(observed.examined(500)).rejects.toBe(error)
  })

  it.each([
    ['when as much came as may wait', 256 * 1_024, 0],
    ['after a while when nothing more comes', 1_000, 10],
  ])('does not hold what passed for ever: %s', async (_, size, after) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    try {
      const content = contentOf(size)
      const chunk = Buffer.from(content)
      const chunks = observe(bodyOf([chunk]), startOf(size), examiner)
      await drain(chunks)
      expect(vi.getTimerCount()).toBe(after === 0 ? 0 : 1)
      vi.advanceTimersByTime(after)
      chunk.fill(0)
      expect(await chunks.examined(size)).toMatchObject({
        sha256: sha256(content),
        head: content.subarray(0, headSize),
      })
      expect(vi.getTimerCount()).toBe(0)
    } finally {
      vi.useRealTimers()
    }
  })

  it('knows nothing of a file of another size than was said', async () => {
    const content = contentOf(500)
    const observed = observe(inChunks(content, 200), startOf(1_000), examiner)
    await drain(observed)
    for (const size of [0, 200, 499, 500, 501, 1_000]) {
      expect(await observed.examined(size)).toBeUndefined()
    }
  })

  it('knows nothing of a file while only some of it has passed', async () => {
    const content = contentOf(500)
    const observed = observe(inChunks(content, 200), startOf(500), examiner)
    const chunks = observed[Symbol.asyncIterator]()
    await chunks.next()
    expect(await observed.examined(500)).toBeUndefined()
    await chunks.return?.()
  })

  it('looks at exactly a mebibyte', async () => {
    const content = contentOf(MiB)
    const observed = observe(inChunks(content), startOf(MiB), examiner)
    await drain(observed)
    expect(await observed.examined(MiB)).toMatchObject({ sha256: sha256(content) })
  })

  it.each([
    ['goes on from where another stopped', { offset: 1, length: 301 }, 300],
    ['belongs to a file of unknown length', startOf(undefined), 300],
    ['belongs to a file of more than a mebibyte', startOf(MiB + 1), MiB + 1],
  ])('leaves a body alone that %s', async (_, position, size) => {
    const content = contentOf(size)
    const body = inChunks(content)
    const chunks = body[Symbol.asyncIterator]()
    const observed = observe({ [Symbol.asyncIterator]: () => chunks }, position, examiner)
    expect(observed[Symbol.asyncIterator]()).toBe(chunks)
    expect((await drain(observed)).read.equals(content)).toBe(true)
    for (const asked of [0, size, position.offset + size]) {
      observed.examine()
      expect(await observed.examined(asked)).toBeUndefined()
    }
  })
})

describe.each([
  ['looked at', startOf(10)],
  ['left alone', startOf(undefined)],
])('a body that is %s', (_, position) => {
  const iterate = (body: AsyncIterable<Buffer>) =>
    observe(body, position, examiner)[Symbol.asyncIterator]()

  it('ends with the error it broke with, after what came before', async () => {
    const reset = new Error('reset by peer')
    const content = contentOf(10)
    const { read, error } = await drain(observe(inChunks(content, 4, reset), position, examiner))
    expect(error).toBe(reset)
    expect(read.equals(content)).toBe(true)
  })

  it('is told at once that nobody reads on, also while it stands still', async () => {
    const pending = Promise.withResolvers<IteratorResult<Buffer>>()
    const calls: string[] = []
    const chunks = iterate({
      [Symbol.asyncIterator]: () => ({
        next: () => {
          calls.push('next')
          return pending.promise
        },
        return: async () => {
          calls.push('return')
          pending.resolve({ done: true, value: undefined })
          return { done: true, value: undefined }
        },
      }),
    })
    const next = chunks.next()
    const returned = chunks.return?.()
    expect(calls).toEqual(['next', 'return'])
    expect(await returned).toEqual({ done: true, value: undefined })
    expect(await next).toEqual({ done: true, value: undefined })
  })

  it('lets go of the socket of a client that has gone silent', async () => {
    const stream = new PassThrough()
    const body = new RequestBody(stream, { until: never, limit: 10 })
    const chunks = iterate(body)
    stream.write('some')
    expect(await chunks.next()).toEqual({ done: false, value: Buffer.from('some') })
    const silent = chunks.next()
    expect(stream.listenerCount('data')).toBe(1)
    await chunks.return?.()
    expect(await silent).toMatchObject({ done: true })
    expect(stream.listenerCount('data')).toBe(0)
    stream.destroy()
  })

  it('says what it fails with when it is told to end', async () => {
    const chunks = iterate({
      [Symbol.asyncIterator]: () => ({
        next: async () => ({ done: true, value: undefined }),
        return: () => Promise.reject(new Error('cannot be ended')),
      }),
    })
    await expect(chunks.return?.()).rejects.toThrow('cannot be ended')
  })
})

it('a body that cannot be told to end may still be left', async () => {
  const next = async () => ({ done: false, value: contentOf(5) })
  const body = { [Symbol.asyncIterator]: () => ({ next }) }
  let passed = 0
  for await (const chunk of observe(body, startOf(10), examiner)) {
    passed += chunk.length
    break
  }
  expect(passed).toBe(5)
  const chunks = observe(body, startOf(10), examiner)[Symbol.asyncIterator]()
  expect(await chunks.return?.()).toEqual({ done: true, value: undefined })
})
