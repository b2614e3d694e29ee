import { once } from 'node:events'
import { PassThrough, Readable } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { RequestBody } from '../../../src/uploads/body.ts'
import { drain } from '../../support/bodies.ts'
import { never } from '../../support/leases.ts'
import { contentOf } from '../../support/storage.ts'

const unlimited = { until: never, limit: Number.POSITIVE_INFINITY }
const bytes = (text: string) => Buffer.from(text)

const listenersOf = (stream: Readable) =>
  ['data', 'end', 'close', 'readable', 'pause', 'resume'].map((event) =>
    stream.listenerCount(event),
  )
const turns = async () => {
  for (let turn = 0; turn < 20; turn += 1) await setImmediate()
}

describe('the body of a request', () => {
  it('comes in order and whole', async () => {
    const content = contentOf(1_000_000)
    const body = new RequestBody(Readable.from(inPieces(content), { objectMode: false }), unlimited)
    const { read, error } = await drain(body)
    expect(error).toBeUndefined()
    expect(read.equals(content)).toBe(true)
    expect(body.ended).toBe(true)
  })

  it('may be empty, and may be over before it is read', async () => {
    for (const content of [[], ['x']]) {
      const stream = Readable.from(content, { objectMode: false })
      stream.resume()
      await once(stream, 'end')
      const body = new RequestBody(stream, unlimited)
      expect(await drain(body)).toEqual({ read: bytes('') })
      expect(body.ended).toBe(true)
    }
  })

  it('is not read faster than it is taken', async () => {
    let produced = 0
    const stream = new Readable({
      highWaterMark: 1_000,
      read() {
        produced += 1
        this.push(Buffer.alloc(1_000))
      },
    })
    const iterator = new RequestBody(stream, unlimited)[Symbol.asyncIterator]()
    await iterator.next()
    await turns()
    const before = produced
    expect(before).toBeLessThan(10)
    expect(stream.isPaused()).toBe(true)
    for (let taken = 0; taken < 50; taken += 1) await iterator.next()
    await turns()
    expect(produced).toBeLessThan(60)
    expect(produced).toBeGreaterThanOrEqual(51)
    await iterator.return?.()
  })

  it('throws what the stream breaks with, after all that arrived before', async () => {
    const stream = new PassThrough()
    for (const part of ['one ', 'two ', 'three']) stream.write(part)
    const body = new RequestBody(stream, unlimited)
    const reading = drain(body)
    await turns()
    stream.destroy(new Error('reset by peer'))
    expect(await reading).toMatchObject({
      read: bytes('one two three'),
      error: { message: 'reset by peer' },
    })
    expect(body.ended).toBe(false)
  })

  it('delivers what it had taken from a stream that breaks while nobody reads', async () => {
    const stream = new PassThrough()
    const body = new RequestBody(stream, unlimited)
    const iterator = body[Symbol.asyncIterator]()
    stream.write('one')
    await turns()
    stream.destroy(new Error('reset by peer'))
    await turns()
    expect(await iterator.next()).toEqual({ done: false, value: bytes('one') })
    await expect(iterator.next()).rejects.toThrow('reset by peer')
    await expect(iterator.next()).rejects.toThrow('reset by peer')
  })

  it('takes a stream that was closed before its end for broken', async () => {
    const early = new PassThrough()
    early.destroy()
    await once(early, 'close')
    expect((await drain(new RequestBody(early, unlimited))).error).toBeInstanceOf(Error)
    const late = new PassThrough()
    const reading = drain(new RequestBody(late, unlimited))
    late.write('x')
    await turns()
    late.destroy()
    expect(await reading).toMatchObject({ read: bytes('x'), error: expect.any(Error) })
  })

  describe('once it is not wanted any more', () => {
    it('ends without an error, also while it waits for the client', async () => {
      const stream = new PassThrough()
      const until = new AbortController()
      const body = new RequestBody(stream, { ...unlimited, until: until.signal })
      const reading = drain(body)
      stream.write('one')
      await turns()
      until.abort(new Error('somebody else comes'))
      expect(await reading).toEqual({ read: bytes('one') })
      expect(body.ended).toBe(false)
      expect(stream.destroyed).toBe(false)
    })

    it('still gives what it had taken from the socket', async () => {
      const stream = new PassThrough()
      const until = new AbortController()
      const iterator = new RequestBody(stream, { ...unlimited, until: until.signal })[
        Symbol.asyncIterator
      ]()
      stream.write('one')
      await turns()
      until.abort()
      expect(await iterator.next()).toEqual({ done: false, value: bytes('one') })
      expect(await iterator.next()).toEqual({ done: true, value: undefined })
    })

    it('takes nothing at all when that was so from the start', async () => {
      const stream = Readable.from(['x'], { objectMode: false })
      const body = new RequestBody(stream, { ...unlimited, until: AbortSignal.abort() })
      expect(await drain(body)).toEqual({ read: bytes('') })
    })

    it('lets go of a reader that waits when the reading is ended', async () => {
      const stream = new PassThrough()
      const iterator = new RequestBody(stream, unlimited)[Symbol.asyncIterator]()
      let settled = false
      void iterator.next().then(() => {
        settled = true
      })
      await turns()
      await iterator.return?.()
      await turns()
      expect(settled).toBe(true)
    })
  })

  describe('with more than it may have', () => {
    it.each([
      [['12345', '67890', 'abc'], 10, '1234567890'],
      [['1234567890abc'], 10, '1234567890'],
      [['12345', '678', '90abc', 'def'], 10, '1234567890'],
      [['1'], 0, ''],
    ])('gives of %j the first %d bytes, then 413', async (parts, limit, expected) => {
      const stream = Readable.from(parts, { objectMode: false })
      const body = new RequestBody(stream, { until: never, limit })
      expect(await drain(body)).toMatchObject({
        read: bytes(expected),
        error: { code: 'upload-too-long', status: 413 },
      })
      expect(body.ended).toBe(false)
    })

    it('is fine when it has just that much', async () => {
      const stream = Readable.from(['12345', '67890'], { objectMode: false })
      const body = new RequestBody(stream, { until: never, limit: 10 })
      expect(await drain(body)).toEqual({ read: bytes('1234567890') })
      expect(body.ended).toBe(true)
    })
  })

  describe('leaves the stream alone at the end', () => {
    const ways: Record<string, (stream: PassThrough, until: AbortController) => Promise<void>> = {
      'the reader ends': async (stream, until) => {
        stream.write('x')
        const options = { ...unlimited, until: until.signal }
        for await (const _ of new RequestBody(stream, options)) break
      },
      'the reader fails': async (stream, until) => {
        stream.write('x')
        const options = { ...unlimited, until: until.signal }
        const failing = async () => {
          for await (const _ of new RequestBody(stream, options)) throw new Error('disk full')
        }
        await expect(failing()).rejects.toThrow('disk full')
      },
      'there is too much': async (stream, until) => {
        stream.write('xyz')
        await drain(new RequestBody(stream, { until: until.signal, limit: 1 }))
      },
      'somebody else comes': async (stream, until) => {
        const reading = drain(new RequestBody(stream, { ...unlimited, until: until.signal }))
        stream.write('xyz')
        await turns()
        until.abort()
        await reading
      },
    }
    it.each(Object.entries(ways))('when %s', async (_, run) => {
      const stream = new PassThrough()
      const until = new AbortController()
      const before = listenersOf(stream)
      await run(stream, until)
      expect(listenersOf(stream)).toEqual(before)
      expect(stream.destroyed).toBe(false)
      expect(stream.isPaused()).toBe(true)
      stream.write('later')
      const closed = new Promise((resolve) => stream.once('close', resolve))
      stream.destroy(new Error('nobody is hurt by this'))
      await closed
    })

    it('and does not hear from the signal any more', async () => {
      const until = new AbortController()
      const listening: string[] = []
      const { signal } = until
      const [add, remove] = [signal.addEventListener, signal.removeEventListener].map((f) =>
        f.bind(signal),
      )
      signal.addEventListener = (...given: Parameters<typeof signal.addEventListener>) => {
        listening.push('on')
        add?.(...given)
      }
      signal.removeEventListener = (...given: Parameters<typeof signal.removeEventListener>) => {
        listening.push('off')
        remove?.(...given)
      }
      await drain(
        new RequestBody(Readable.from(['x'], { objectMode: false }), {
          ...unlimited,
          until: signal,
        }),
      )
      expect(listening).toEqual(['on', 'off'])
    })
  })
})

function* inPieces(content: Buffer): Generator<Buffer> {
  for (let start = 0, size = 1; start < content.length; start += size, size = (size * 7) % 65_537) {
    yield content.subarray(start, start + size)
  }
}
