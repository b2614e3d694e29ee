import { expect, it } from 'vitest'
import { PartBuffer } from '../../../src/storage/s3/part-buffer.ts'
import { contentOf } from '../../support/storage.ts'

it('gives back what was collected, and can be used again', () => {
  const buffer = new PartBuffer()
  const content = contentOf(300_000)
  for (const size of [1, 7, 70_000, 300_000]) {
    buffer.clear()
    for (let start = 0; start < content.length; start += size) {
      buffer.append(content.subarray(start, start + size), content.length)
    }
    expect(buffer.bytes.equals(content)).toBe(true)
  }
})

it('holds nothing before anything arrived, and no more than twice of what arrived', () => {
  const buffer = new PartBuffer()
  const limit = 2 ** 23
  expect(buffer.bytes.buffer.byteLength).toBe(0)
  buffer.append(Buffer.alloc(100_000), limit)
  expect(buffer.bytes.buffer.byteLength).toBeLessThanOrEqual(200_000)
  buffer.append(Buffer.alloc(limit - 100_000), limit)
  expect(buffer.bytes.buffer.byteLength).toBe(limit)
})
