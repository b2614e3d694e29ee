import { cornerOf, isCut } from './crop.ts'
import { type Input, openInput, type Raster } from './decode.ts'
import { encoders } from './encode.ts'
import { corruptImage } from './failures.ts'
import type { Task } from './plan.ts'

/**
 * All frames of an animation as WebP, with its delays and loops. Frames are decoded, resized and
 * encoded one after the other, so memory does not grow with their number by more than the file that
 * comes out.
 * @param still the first frame, which decides where all are cut.
 * @throws AppError `corrupt-image` (422).
 */
export async function encodeAnimation(input: Input, still: Raster, task: Task): Promise<Buffer> {
  const { width, height, whole, frames } = task
  const all = { ...input, width: input.width, height: input.height * frames, animated: true }
  const scaled = openInput(all)
    .resize(whole.width, whole.height, { fit: 'fill' })
    .toColourspace('srgb')
  const cut = isCut(task)
    ? scaled.extract({ ...(await cornerOf(still, task)), width, height })
    : scaled
  try {
    return await encoders.webp.encode(cut, task.quality).toBuffer()
  } catch (error) {
    throw corruptImage(error)
  }
}
