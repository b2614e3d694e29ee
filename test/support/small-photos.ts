/** Photographs in quantity: small, and no two of them the same. */
import { grain } from '../fixtures/corpus/bytes.ts'
import { atOnce } from './at-once.ts'
import { sendFile } from './tus-file.ts'

export interface SmallPhotoOptions {
  readonly width?: number
  readonly height?: number
}

export function smallPhoto(
  seed: string,
  { width = 320, height = 240 }: SmallPhotoOptions = {},
): Promise<Buffer> {
  return grain(width, height, seed).jpeg({ quality: 85 }).toBuffer()
}

/** Uploads so many, and returns their ids. */
export async function sendPhotos(
  server: string,
  count: number,
  options: SmallPhotoOptions = {},
): Promise<string[]> {
  const ids: string[] = []
  await atOnce(Array(count).keys(), 8, async (each) => {
    const filename = `photo-${each}.jpg`
    ids.push(await sendFile(server, await smallPhoto(filename, options), { filename }))
  })
  return ids
}
