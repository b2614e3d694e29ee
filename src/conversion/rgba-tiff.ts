import { open } from 'node:fs/promises'
import type { Size } from './size.ts'

export interface RgbaPicture extends Size {
  /** Eight bits each of red, green, blue and alpha, which is not premultiplied. */
  readonly data: Uint8ClampedArray
  /** What the colours mean; undefined: sRGB. */
  readonly icc: Buffer | undefined
}

/** Rows that a reader has to hold at once. */
const rowsPerStrip = 64
const headerBytes = 8
const [short, long, undefinedType] = [3, 4, 7]

/**
 * Writes pixels as an uncompressed TIFF (TIFF 6.0, and its tag for ICC profiles), which is how a
 * profile gets to pixels that do not have one: sharp can only convert into profiles.
 */
export async function writeRgbaTiff(path: string, picture: RgbaPicture): Promise<void> {
  await using file = await open(path, 'wx')
  const { buffer, byteOffset, byteLength } = picture.data
  for (const part of [headOf(picture), Buffer.from(buffer, byteOffset, byteLength)]) {
    await file.writeFile(part)
  }
}

type Tag = readonly [tag: number, type: number, values: readonly number[] | Buffer]

/** Everything before the pixels: header, directory, and the values that do not fit into it. */
function headOf({ width, height, icc }: RgbaPicture): Buffer {
  const strips = Math.ceil(height / rowsPerStrip)
  const rowBytes = width * 4
  const rowsOf = (strip: number) => Math.min(rowsPerStrip, height - strip * rowsPerStrip)
  const numbers = Array.from({ length: strips }, (_, strip) => strip)
  const tagsFor = (pixels: number): Tag[] => [
    [256, long, [width]],
    [257, long, [height]],
    [258, short, [8, 8, 8, 8]],
    [259, short, [1]],
    [262, short, [2]],
    [273, long, numbers.map((strip) => pixels + strip * rowsPerStrip * rowBytes)],
    [277, short, [4]],
    [278, long, [rowsPerStrip]],
    [279, long, numbers.map((strip) => rowsOf(strip) * rowBytes)],
    [338, short, [2]],
    ...(icc ? [[34_675, undefinedType, icc] as const] : []),
  ]
  // Where the pixels begin changes none of the lengths.
  return layOut(tagsFor(layOut(tagsFor(0)).length))
}

function layOut(tags: readonly Tag[]): Buffer {
  const header = Buffer.from('49492a0008000000', 'hex')
  const directory = Buffer.alloc(2 + tags.length * 12 + 4)
  directory.writeUInt16LE(tags.length)
  let end = headerBytes + directory.length
  const values = tags.map(([tag, type, content], index) => {
    const bytes = bytesOf(type, content)
    const at = 2 + index * 12
    directory.writeUInt16LE(tag, at)
    directory.writeUInt16LE(type, at + 2)
    directory.writeUInt32LE(content.length, at + 4)
    if (bytes.length <= 4) {
      directory.set(bytes, at + 8)
      return Buffer.alloc(0)
    }
    directory.writeUInt32LE(end, at + 8)
    const padded = Buffer.concat([bytes, Buffer.alloc(bytes.length % 2)])
    end += padded.length
    return padded
  })
  return Buffer.concat([header, directory, ...values])
}

function bytesOf(type: number, content: readonly number[] | Buffer): Buffer {
  if (Buffer.isBuffer(content)) return content
  const width = type === short ? 2 : 4
  const bytes = Buffer.alloc(content.length * width)
  for (const [index, value] of content.entries()) bytes.writeUIntLE(value, index * width, width)
  return bytes
}
