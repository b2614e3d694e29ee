import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { encodeAnimation } from './animation.ts'
import type { ConvertedRendition } from './contract.ts'
import { cutTo } from './crop.ts'
import type { Input, Raster } from './decode.ts'
import { encoders } from './encode.ts'
import type { Task } from './plan.ts'
import { renditionPath } from './rendition-path.ts'

/** A still is made from the decoded copy, an animation from the original. */
export function encodeTask(task: Task, input: Input, copy: Raster): Promise<Buffer> {
  return task.frames > 1 ? encodeAnimation(input, copy, task) : encodeStill(copy, task)
}

/** Writes a file for each preset that asked for it. */
export async function writeRenditions(
  task: Task,
  bytes: Buffer,
  directory: string,
): Promise<ConvertedRendition[]> {
  const { width, height, format, frames } = task
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
