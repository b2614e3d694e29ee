import { describe, expect, it } from 'vitest'
import type { UploadPosition, UploadSource } from '../../../src/storage/contract.ts'
import { bytesBeforeCopy, copyAfter, nextCopy } from '../../../src/storage/s3/concatenation-plan.ts'
import { maxParts } from '../../../src/storage/s3/part-sizes.ts'
import { bytesAfter } from '../../../src/storage/source-bytes.ts'
import { TestLedger } from '../../support/storage.ts'

const MiB = 2 ** 20
const GiB = 2 ** 30

function sourcesOf(...sizes: readonly number[]): UploadSource[] {
  return sizes.map((size, each) => ({ id: `source-${each}`, size }))
}

const lengthOf = (sources: readonly UploadSource[]) =>
  sources.reduce((sum, { size }) => sum + size, 0)

/** The sizes of all parts, from a position where nothing waits. */
function partsOf(sources: readonly UploadSource[], start: Partial<UploadPosition> = {}) {
  const length = lengthOf(sources)
  const parts: { size: number; copied: boolean }[] = []
  let position = { ...new TestLedger(length).position, multipartId: 'id', ...start }
  while (position.offset < length) {
    const joined = { position, length, sources }
    const copy = copyAfter(joined)
    const size = copy ? copy.end - copy.start : bytesBeforeCopy(joined)
    parts.push({ size, copied: copy !== undefined })
    const { partCount, offset } = position
    position = { ...position, partCount: partCount + 1, offset: offset + size }
  }
  return parts
}

describe('bytes of sources', () => {
  it('are those after the offset, and not those of empty sources', () => {
    const sources = sourcesOf(0, 10, 0, 5, 7)
    const [, a, , b, c] = sources
    expect([...bytesAfter(sources, 0)]).toEqual([
      { source: a, start: 0, end: 10 },
      { source: b, start: 0, end: 5 },
      { source: c, start: 0, end: 7 },
    ])
    expect([...bytesAfter(sources, 12, 4)]).toEqual([
      { source: b, start: 2, end: 5 },
      { source: c, start: 0, end: 1 },
    ])
    expect([...bytesAfter(sources, 10, 5)]).toEqual([{ source: b, start: 0, end: 5 }])
    expect([...bytesAfter(sources, 22)]).toEqual([])
  })
})

describe('a concatenation in S3', () => {
  it('copies what is large enough, and leaves no rest that is too small', () => {
    expect(partsOf(sourcesOf(64 * MiB + 5 * MiB - 1, 64 * MiB + 5 * MiB))).toEqual([
      { size: 69 * MiB - 1, copied: true },
      { size: 64 * MiB, copied: true },
      { size: 5 * MiB, copied: true },
    ])
  })

  it('brings what is too small up to a part, and copies the rest of what it took that from', () => {
    expect(partsOf(sourcesOf(1_000, 20 * MiB, 13 * MiB))).toEqual([
      { size: 8 * MiB, copied: false },
      { size: 12 * MiB + 1_000, copied: true },
      { size: 13 * MiB, copied: true },
    ])
  })

  it('copies nothing of an object of 5 MiB', () => {
    const sources = sourcesOf(5 * MiB, 40 * MiB)
    expect(partsOf(sources)[0]).toEqual({ size: 8 * MiB, copied: false })
    expect(partsOf(sourcesOf(5 * MiB + 1, 40 * MiB))[0]?.copied).toBe(true)
  })

  it('goes the same way from wherever it was left', () => {
    const sources = sourcesOf(13 * MiB, 1_000, 9 * MiB, 3 * MiB, 200 * MiB, 500, 6 * MiB)
    const all = partsOf(sources)
    let offset = 0
    all.forEach(({ size }, partCount) => {
      expect(partsOf(sources, { offset, partCount })).toEqual(all.slice(partCount))
      offset += size
    })
  })

  it('makes no more parts than S3 takes', () => {
    for (const sources of [
      sourcesOf(5 * 1024 * GiB),
      sourcesOf(...Array.from({ length: 20_000 }, () => 6 * MiB)),
    ]) {
      const length = lengthOf(sources)
      let done = { parts: 0, bytes: 0 }
      const position = { ...new TestLedger(length).position, multipartId: 'id' }
      while (done.bytes < length) {
        const at = { ...position, partCount: done.parts, offset: done.bytes }
        const copy = nextCopy({ sources, length }, done)
        const size = copy
          ? copy.end - copy.start
          : bytesBeforeCopy({ position: at, length, sources })
        expect(size).toBeGreaterThanOrEqual(Math.min(5 * MiB, length - done.bytes))
        expect(size).toBeLessThanOrEqual(copy ? 5 * GiB : Infinity)
        const streamed = Math.ceil(size / (8 * MiB))
        done = { parts: done.parts + (copy ? 1 : streamed), bytes: done.bytes + size }
      }
      // Parts that are not copied are larger than assumed here when there are many.
      expect(done.parts).toBeLessThanOrEqual(maxParts * 2)
    }
  })

  it('copies nothing over parts that somebody may have begun, nor over a tail', () => {
    const sources = sourcesOf(40 * MiB)
    const position = { ...new TestLedger(40 * MiB).position, multipartId: 'id' }
    const joined = { sources, length: 40 * MiB }
    const unsettledParts = { count: 2, size: 6 * MiB }
    const begun = { ...joined, position: { ...position, unsettledParts } }
    expect(copyAfter(begun)).toBeUndefined()
    expect(bytesBeforeCopy(begun)).toBe(6 * MiB)
    const tail = { key: 'tail', size: 1_000, crc32: 0 }
    const after = { ...joined, position: { ...position, offset: 1_000, tail } }
    expect(copyAfter(after)).toBeUndefined()
    expect(bytesBeforeCopy(after)).toBe(8 * MiB - 1_000)
  })

  it('is one object when it is small', () => {
    const sources = sourcesOf(6 * MiB, 2 * MiB)
    const { position } = new TestLedger(8 * MiB)
    expect(copyAfter({ position, length: 8 * MiB, sources })).toBeUndefined()
    expect(bytesBeforeCopy({ position, length: 8 * MiB, sources })).toBe(8 * MiB)
  })
})
