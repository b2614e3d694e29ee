/** Photographs to convert: made once on a machine, and varied so that no two files are the same. */
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makePhoto, type PhotoOptions } from './make-photo.ts'

/** 100 megapixels and about 25 MB, held upright: the decoder has to turn it. */
export const largePhoto: PhotoOptions = { width: 12_240, height: 8_160, grain: 7, orientation: 6 }

/** 12 megapixels and 4 to 6 MB, lying and upright. */
export const phonePhotos: readonly PhotoOptions[] = [
  { grain: 4, orientation: 1 },
  { grain: 5, orientation: 6 },
  { grain: 6, orientation: 1 },
  { grain: 7, orientation: 6 },
  { grain: 8, orientation: 3 },
].map((options) => ({ width: 4_032, height: 3_024, ...options }))

const cache = join(tmpdir(), 'landfall-bench-photos')

/** The bytes of a photograph, kept between runs: to make 100 megapixels takes half a minute. */
export async function photo(options: PhotoOptions): Promise<Buffer> {
  const { width, height, grain, orientation } = options
  const path = join(cache, `${width}x${height}-grain-${grain}-orientation-${orientation}.jpg`)
  if (existsSync(path)) return readFile(path)
  console.log(`  making a photo of ${Math.round((width * height) / 1e6)} megapixels`)
  const bytes = await makePhoto(options)
  await mkdir(cache, { recursive: true })
  // Another run may be making the same one.
  const temporary = `${path}.${randomBytes(4).toString('hex')}`
  await writeFile(temporary, bytes)
  await rename(temporary, path)
  return bytes
}

/** The same picture as another file: a server that knows its bytes need not convert it again. */
export function varied(jpeg: Buffer): Buffer {
  const comment = randomBytes(16)
  const length = Buffer.alloc(2)
  length.writeUInt16BE(comment.length + 2)
  // Behind the start of the image and its first segment, which readers of EXIF expect there.
  const at = 4 + jpeg.readUInt16BE(4)
  const segment = Buffer.concat([Buffer.of(0xff, 0xfe), length, comment])
  return Buffer.concat([jpeg.subarray(0, at), segment, jpeg.subarray(at)])
}

/** Writes varied copies of photographs, in turns, and returns where they are. */
export async function writePhotos(
  directory: string,
  photos: readonly PhotoOptions[],
  count: number,
): Promise<string[]> {
  const originals: Buffer[] = []
  for (const options of photos) originals.push(await photo(options))
  const paths: string[] = []
  for (let index = 0; index < count; index += 1) {
    const original = originals[index % originals.length]
    if (!original) throw new Error('no photo to vary')
    const path = join(directory, `${index}.jpg`)
    await writeFile(path, varied(original))
    paths.push(path)
  }
  return paths
}
