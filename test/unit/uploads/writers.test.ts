import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { createWriters } from '../../../src/uploads/writers.ts'

async function collect(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of body) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

describe('the writers', () => {
  it('end a body early, without an error, when the program stops', async () => {
    const writers = createWriters()
    const stream = new PassThrough()
    stream.write('half')
    const first = Promise.withResolvers<void>()
    const write = writers.run('a', stream, async (body) => {
      const chunks: Buffer[] = []
      for await (const chunk of body) {
        chunks.push(chunk)
        first.resolve()
      }
      return Buffer.concat(chunks).toString()
    })
    await first.promise
    await writers.drain()
    expect(await write).toBe('half')
    expect(stream.destroyed).toBe(true)
  })

  it('take nothing more once the program stops', async () => {
    const writers = createWriters()
    await writers.drain()
    const stream = new PassThrough()
    stream.end('late')
    expect(await writers.run('a', stream, collect)).toBe('')
  })

  it('pass on what broke a connection', async () => {
    const stream = new PassThrough()
    const write = createWriters().run('a', stream, collect)
    stream.destroy(new Error('reset by peer'))
    await expect(write).rejects.toThrow('reset by peer')
  })

  it('tell when the writing of an upload has ended, whether well or not', async () => {
    const writers = createWriters()
    const work = Promise.withResolvers<string>()
    const write = writers.run('a', new PassThrough(), () => work.promise)
    let settled = false
    const waiting = writers.settled('a').then(() => {
      settled = true
    })
    await writers.settled('another')
    expect(settled).toBe(false)
    work.reject(new Error('storage is away'))
    await expect(write).rejects.toThrow('storage is away')
    await waiting
    await writers.settled('a')
  })
})
