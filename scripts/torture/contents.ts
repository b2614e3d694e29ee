/** Files to upload that need no memory: any piece of them can be made again from a seed. */
import { createCipheriv, createHash } from 'node:crypto'
import { makePhoto } from '../../test/support/photo.ts'
import type { Random } from '../../test/support/random.ts'

export interface Content {
  readonly size: number
  readonly filename: string
  readonly isPhoto: boolean
  /** The bytes from `start` up to `end`, in small pieces. */
  read(start: number, end: number): Iterable<Buffer>
}

export type PhotoAlbum = readonly Buffer[]

const KiB = 2 ** 10
const MiB = 2 ** 20
const blockSize = 16
const pieceSize = 64 * KiB
const photoShare = 0.1

/** Small photos, so that converting them takes little of the machine's time. */
export function makeAlbum(): Promise<PhotoAlbum> {
  const sizes = [
    [320, 240],
    [200, 300],
    [640, 200],
  ] as const
  return Promise.all(sizes.map(([width, height]) => makePhoto({ width, height })))
}

/** Draws a file: a photo, or random bytes from none to `largest`, most of them few. */
export function drawContent(random: Random, album: PhotoAlbum, largest = 40 * MiB): Content {
  if (random.chance(photoShare)) return photo(random.pick(album))
  const size = Math.min(largest, drawSize(random))
  return noise(size, `${random.integer(0, 2 ** 40)}`)
}

function drawSize(random: Random): number {
  if (random.chance(0.04)) return 0
  const [min, max] = random.pick([
    [1, 4 * KiB],
    [1, 200 * KiB],
    [190 * KiB, 210 * KiB],
    [200 * KiB, 5 * MiB],
    [200 * KiB, 5 * MiB],
    [5 * MiB - 1, 5 * MiB + 1],
    [5 * MiB, 17 * MiB],
    [8 * MiB, 8 * MiB],
    [15 * MiB, 40 * MiB],
  ] as const)
  return random.integer(min, max)
}

export function photo(bytes: Buffer): Content {
  return {
    size: bytes.length,
    filename: 'photo.jpg',
    isPhoto: true,
    *read(start, end) {
      yield bytes.subarray(start, end)
    },
  }
}

/** Bytes that look random and are the same for the same seed: a cipher's stream can begin anywhere. */
export function noise(size: number, seed: string): Content {
  const key = createHash('sha256').update(seed).digest()
  return {
    size,
    filename: `${seed}.bin`,
    isPhoto: false,
    *read(start, end) {
      const counter = Buffer.alloc(blockSize)
      counter.writeBigUInt64BE(BigInt(Math.floor(start / blockSize)), blockSize / 2)
      const cipher = createCipheriv('aes-256-ctr', key, counter)
      cipher.update(Buffer.alloc(start % blockSize))
      for (let position = start; position < end; position += pieceSize) {
        yield cipher.update(Buffer.alloc(Math.min(pieceSize, end - position)))
      }
    },
  }
}

/** Some files, one after the other, as one. */
export function joined(filename: string, parts: readonly Content[]): Content {
  return {
    size: parts.reduce((sum, { size }) => sum + size, 0),
    filename,
    isPhoto: false,
    *read(start, end) {
      let begin = 0
      for (const part of parts) {
        const [from, to] = [Math.max(start - begin, 0), Math.min(end - begin, part.size)]
        if (from < to) yield* part.read(from, to)
        begin += part.size
      }
    },
  }
}

/** A part of a file, from `start` to before `end`. */
export function slice(content: Content, start: number, end: number): Content {
  return {
    size: end - start,
    filename: `${content.filename}.${start}`,
    isPhoto: false,
    read: (from, to) => content.read(start + from, start + to),
  }
}
