import { PassThrough, Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { mostAround, openForm } from '../../../src/uploads/one-request/form.ts'
import { contentOf } from '../../support/storage.ts'
import { waitFor } from '../../support/wait.ts'

const boundary = 'xYz'
const bytes = Buffer.from('the bytes\r\n--xY of\r\n-- a file\r\n')
const disposition = (rest: string) => `Content-Disposition: form-data; ${rest}\r\n`
const filePart = (head = disposition('name="file"; filename="a.jpg"'), content: Buffer = bytes) =>
  part(`${head}Content-Type: image/jpeg\r\n`, content)
const field = part(disposition('name="title"'), Buffer.from('something'))
const end = Buffer.from(`--${boundary}--\r\n`)

function part(head: string, content: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`--${boundary}\r\n${head}\r\n`), content, Buffer.from('\r\n')])
}

/** What is found in a form that arrives in chunks of a size. */
async function read(form: Buffer, chunkSize = form.length) {
  const chunks: Buffer[] = []
  for (let at = 0; at < form.length; at += chunkSize) {
    chunks.push(Buffer.from(form.subarray(at, at + chunkSize)))
  }
  return readFrom(Readable.from(chunks))
}

async function drain(stream: Readable): Promise<Buffer> {
  return Buffer.from(await buffer(stream))
}

async function readFrom(request: Readable) {
  using file = await openForm(request, boundary)
  const { filename, contentType } = file
  try {
    return { filename, contentType, content: await drain(file.content) }
  } catch (error) {
    throw file.failure ?? error
  }
}

const badForm = { code: 'bad-form', status: 400 }

describe('a form', () => {
  it('has its file between other fields, wherever the network cuts it', async () => {
    const form = Buffer.concat([field, filePart(), field, end])
    for (let size = 1; size <= form.length; size += 1) {
      const { filename, contentType, content } = await read(form, size)
      expect([filename, contentType]).toEqual(['a.jpg', 'image/jpeg'])
      expect(content, `chunks of ${size}`).toEqual(bytes)
    }
  })

  it('is nothing when it ends anywhere before its last boundary', async () => {
    const form = Buffer.concat([field, filePart(), field, end])
    for (let length = 0; length < form.length - '\r\n'.length; length += 1) {
      await expect(read(form.subarray(0, length)), `${length} bytes`).rejects.toMatchObject(badForm)
    }
  })

  it('may have a file without bytes, and something behind its last boundary', async () => {
    const form = Buffer.concat([filePart(undefined, Buffer.alloc(0)), end, Buffer.alloc(1_000)])
    expect((await read(form)).content).toHaveLength(0)
    expect((await read(form, 7)).content).toHaveLength(0)
  })

  it('may come in one piece, however large', async () => {
    const large = contentOf(2 ** 20)
    const other = part(disposition('name="a"'), Buffer.alloc(mostAround))
    const form = Buffer.concat([other, filePart(undefined, large), field, end])
    expect((await read(form)).content.equals(large)).toBe(true)
    expect((await read(form, 65_536)).content.equals(large)).toBe(true)
  })

  it('has all of its file for who reads slowly, wherever the network cuts its end', async () => {
    const large = contentOf(120_000)
    const form = Buffer.concat([filePart(undefined, large), end])
    const fileEnd = form.length - end.length - '\r\n'.length
    for (let cut = fileEnd - 1; cut < form.length; cut += 1) {
      const request = Readable.from([
        form.subarray(0, 70_000),
        form.subarray(70_000, cut),
        form.subarray(cut),
      ])
      using file = await openForm(request, boundary)
      await waitFor(() => request.readableEnded, { intervalMs: 1 })
      expect((await drain(file.content)).equals(large), `cut at ${cut - fileEnd}`).toBe(true)
    }
  })

  it.each([
    ['as browsers write it', 'filename="g%22ün.jpg"', 'g"ün.jpg'],
    ['by RFC 5987', `filename="plain.jpg"; filename*=UTF-8''%E2%82%AC.jpg`, '€.jpg'],
    ['by RFC 5987 first', `filename*=UTF-8''%E2%82%AC.jpg; filename="plain.jpg"`, '€.jpg'],
    ['with a semicolon', 'filename="a;b.jpg"', 'a;b.jpg'],
  ])('names its file %s', async (_, written, filename) => {
    const form = Buffer.concat([filePart(disposition(`name="file"; ${written}`)), end])
    expect((await read(form)).filename).toBe(filename)
  })

  it.each([
    ['no part', Buffer.concat([end])],
    ['no file', Buffer.concat([field, end])],
    [
      'text in the field of the file',
      Buffer.concat([part(disposition('name="file"'), bytes), end]),
    ],
    [
      'a file in another field',
      Buffer.concat([filePart(disposition('name="x"; filename="a"')), end]),
    ],
    ['a file in no field', Buffer.concat([filePart(disposition('filename="a"')), end])],
    [
      'a field where no file was chosen',
      Buffer.concat([filePart(disposition('name="file"; filename=""')), end]),
    ],
    ['a second file', Buffer.concat([filePart(), filePart(), end])],
    [
      'a second file in another field',
      Buffer.concat([filePart(), filePart(disposition('name="b"; filename="b"')), end]),
    ],
    [
      'a part that is no field',
      Buffer.concat([filePart('Content-Disposition: attachment; filename="a"\r\n'), end]),
    ],
    ['another boundary', Buffer.from(filePart().toString('latin1').replaceAll(boundary, 'other'))],
    [
      'a head without an end',
      Buffer.concat([Buffer.from(`--${boundary}\r\nA: ${'b'.repeat(100_000)}`)]),
    ],
    [
      'a head that is too long',
      Buffer.concat([
        filePart(`A: ${'b'.repeat(20_000)}\r\n${disposition('name="file"; filename="a"')}`),
        end,
      ]),
    ],
    [
      'too many parts',
      Buffer.concat([...Array.from({ length: 101 }, () => field), filePart(), end]),
    ],
    [
      'far too much before the file',
      Buffer.concat([part(disposition('name="a"'), Buffer.alloc(2 * mostAround)), filePart(), end]),
    ],
    [
      'far too much behind the file',
      Buffer.concat([filePart(), part(disposition('name="a"'), Buffer.alloc(2 * mostAround)), end]),
    ],
    ['far too much behind its end', Buffer.concat([filePart(), end, Buffer.alloc(2 * mostAround)])],
  ])('is refused with %s', async (_, form) => {
    await expect(read(form, 1_000)).rejects.toMatchObject(badForm)
    await expect(read(form, 10_000)).rejects.toMatchObject(badForm)
  })

  it('breaks with what its connection breaks with', async () => {
    const request = new PassThrough()
    request.write(filePart())
    using file = await openForm(request, boundary)
    request.destroy(new Error('cut'))
    await expect(drain(file.content)).rejects.toThrow('cut')
    await expect(openForm(request, boundary)).rejects.toThrow()
  })

  it('is read no faster than its file, and no more once that is of no use', async () => {
    const request = new PassThrough({ highWaterMark: 65_536 })
    request.write(filePart(undefined, contentOf(1)).subarray(0, -2))
    const file = await openForm(request, boundary)
    let taken = 0
    const chunk = contentOf(65_536)
    const pour = async () => {
      for (let still = 0; still < 20; still += 1) {
        while (request.write(chunk)) {
          taken += chunk.length
          still = 0
          await turn()
        }
        await turn()
      }
    }
    await pour()
    expect(taken).toBeLessThan(2 ** 20)
    file.content.resume()
    await waitFor(() => !request.writableNeedDrain, { intervalMs: 1 })
    file[Symbol.dispose]()
    await waitFor(() => request.isPaused(), { intervalMs: 1 })
  })
})
