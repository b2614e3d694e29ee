import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { renditionKey } from '../../src/storage/keys.ts'
import { backends, contentOf, type StorageUnderTest } from '../support/storage.ts'

describe.each(backends)('objects in $name', ({ start }) => {
  let backend: StorageUnderTest
  const content = contentOf(100_000)
  const key = renditionKey('image', 'thumb', 'webp')

  beforeAll(async () => {
    backend = await start()
  })
  afterAll(() => backend?.close())

  const read = async (...args: Parameters<typeof backend.storage.read>) =>
    buffer(await backend.storage.read(...args))

  it('gives back the bytes that were put', async () => {
    await backend.storage.put(key, content, 'image/webp')
    expect(await backend.storage.head(key)).toEqual({ size: content.length })
    expect((await read(key)).equals(content)).toBe(true)
  })

  it('replaces an object', async () => {
    await backend.storage.put(key, content, 'image/webp')
    await backend.storage.put(key, Buffer.from('new'), 'image/webp')
    expect(String(await read(key))).toBe('new')
  })

  it('keeps an empty object', async () => {
    await backend.storage.put('images/empty', Buffer.alloc(0), 'text/plain')
    expect(await backend.storage.head('images/empty')).toEqual({ size: 0 })
    expect(await read('images/empty')).toHaveLength(0)
  })

  it('stores a file and leaves it where it is', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'landfall-file-'))
    const path = join(directory, 'file')
    await writeFile(path, content)
    await backend.storage.putFile('images/file', path, 'image/webp')
    await backend.storage.putFile('images/file', path, 'image/webp')
    await rm(directory, { recursive: true })
    expect((await read('images/file')).equals(content)).toBe(true)
  })

  it('reads a range, both ends included', async () => {
    await backend.storage.put(key, content, 'image/webp')
    expect(await read(key, { start: 10, end: 19 })).toEqual(content.subarray(10, 20))
    expect(await read(key, { start: 0, end: 0 })).toEqual(content.subarray(0, 1))
  })

  it('cuts a range at the end of the object', async () => {
    await backend.storage.put(key, content, 'image/webp')
    expect(await read(key, { start: 99_990, end: 200_000 })).toEqual(content.subarray(99_990))
  })

  it('refuses a range that begins after the end', async () => {
    await backend.storage.put(key, content, 'image/webp')
    await expect(read(key, { start: 100_000, end: 100_001 })).rejects.toMatchObject({
      code: 'range-not-satisfiable',
      status: 416,
    })
  })

  it('says of an object that is not there that it is not there', async () => {
    expect(await backend.storage.head('images/none')).toBeUndefined()
    await expect(read('images/none')).rejects.toMatchObject({
      code: 'object-not-found',
      status: 404,
    })
  })

  it('stops reading when it is told to', async () => {
    await backend.storage.put(key, contentOf(5_000_000), 'image/webp')
    const controller = new AbortController()
    const stream = await backend.storage.read(key, undefined, controller.signal)
    controller.abort()
    await expect(buffer(stream)).rejects.toThrow()
  })

  it('removes objects, and takes one that is not there for removed', async () => {
    const keys = ['images/1/a', 'images/1/b', 'images/2/a']
    for (const each of keys) await backend.storage.put(each, content, 'image/webp')
    await backend.storage.remove([...keys.slice(0, 2), 'images/never'])
    expect(await backend.listKeys('images/1')).toEqual([])
    expect(await backend.listKeys('images/2')).toEqual(['images/2/a'])
  })

  it('passes its own check, and leaves nothing behind', async () => {
    const before = await backend.listKeys()
    await backend.storage.check()
    await backend.storage.ping()
    expect(await backend.listKeys()).toEqual(before)
  })

  it('lets writers and removers of one directory run at the same time', async () => {
    const rounds = Array.from({ length: 50 }, (_, index) => `images/busy/${index % 5}`)
    await Promise.all(
      rounds.map(async (each) => {
        await backend.storage.put(each, Buffer.from(each), 'text/plain')
        await backend.storage.remove([each])
      }),
    )
    expect(await backend.listKeys('images/busy')).toEqual([])
  })
})
