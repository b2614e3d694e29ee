import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import sharp from 'sharp'
import { encodeAnimation } from './animation.ts'
import type { ConvertedRendition } from './contract.ts'
import { cutTo } from './crop.ts'
import type { Input, Raster } from './decode.ts'
import { encoders } from './encode.ts'
import type { Task } from './plan.ts'
import { renditionPath } from './rendition-path.ts'

export interface Encoded {
  readonly bytes: Buffer
  /** Frames that are alike become one that is shown longer. */
  readonly frames: number
}

/** A still is made from the decoded copy, an animation from the original. */
export async function encodeTask(task: Task, input: Input, copy: Raster): Promise<Encoded> {
  if (task.frames === 1) return { bytes: await encodeStill(copy, task), frames: 1 }
  const bytes = await encodeAnimation(input, copy, task)
  const { pages = 1 } = await sharp(bytes).metadata()
  return { bytes, frames: pages }
}

/** Writes a file for each preset that asked for it. */
export async function writeRenditions(
  task: Task,
  { bytes, frames }: Encoded,
  directory: string,
): Promise<ConvertedRendition[]> {
  const { width, height, format } = task
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  const { contentType } = encoders[format]
  const renditions: ConvertedRendition[] = []
  for (const preset of task.presets) {
    const path = renditionPath(directory, preset, format)
    await writeFile(path, bytes)
    const size = bytes.length
    renditions.push({ preset, format, contentType, width, height, frames, size, path, sha256 })
  }
  return renditions
}

async function encodeStill(copy: Raster, task: Task): Promise<Buffer> {
  return encoders[task.format].encode(await cutTo(copy, task), task.quality).toBuffer()
}
