import { crc32 } from 'node:zlib'
import { expect, it } from 'vitest'
import { createMemoryBudget } from '../../../src/storage/memory/budget.ts'
import { PartBuffer } from '../../../src/storage/s3/part-buffer.ts'
import { contentOf } from '../../support/storage.ts'

const never = new AbortController().signal

it('hands over what was collected with its checksum, part after part', async () => {
  const budget = createMemoryBudget(2 ** 24)
  const buffer = new PartBuffer(budget.open())
  const content = contentOf(300_000)
  for (const size of [7, 70_000, 300_000]) {
    for (let start = 0; start < content.length; start += size) {
      const chunk = content.subarray(start, start + size)
      if (!buffer.hasRoom(chunk.length)) await buffer.grow(chunk.length, content.length, never)
      buffer.append(chunk)
    }
    expect(buffer.size).toBe(content.length)
    const part = buffer.take()
    expect(part.bytes.equals(content)).toBe(true)
    expect(part.crc32).toBe(crc32(content))
    expect(buffer.size).toBe(0)
    part.release(true)
    expect(budget.held).toBe(0)
  }
})

it('gives back what it has too much', async () => {
  const budget = createMemoryBudget(2 ** 26)
  const buffer = new PartBuffer(budget.open())
  await buffer.grow(2 ** 20, 2 ** 23, never)
  buffer.append(Buffer.from('bytes'))
  expect(buffer.shrink()).toBe(true)
  expect(budget.held).toBe(2 ** 16)
  expect(buffer.shrink()).toBe(false)
  const { bytes } = buffer.take()
  expect(String(bytes)).toBe('bytes')
})

it('puts what came before in front of what it has, with the checksum of both', async () => {
  const budget = createMemoryBudget(2 ** 24)
  const buffer = new PartBuffer(budget.open())
  await buffer.grow(500, 2_000, never)
  buffer.append(Buffer.from('second'))
  await buffer.grow(6, 2_000, never)
  buffer.setAside(6)
  expect(buffer.size).toBe(0)
  buffer.append(Buffer.from('first '))
  buffer.putBack()
  const part = buffer.take()
  expect(String(part.bytes)).toBe('first second')
  expect(part.crc32).toBe(crc32(Buffer.from('first second')))
})

it('notices bytes that changed in memory while they were set aside', async () => {
  const budget = createMemoryBudget(2 ** 24)
  const buffer = new PartBuffer(budget.open())
  await buffer.grow(500, 2_000, never)
  buffer.append(Buffer.from('second'))
  buffer.setAside(6)
  // Overwrites the first of them.
  buffer.append(Buffer.from('first !'))
  expect(() => buffer.putBack()).toThrow('changed in memory')
})
