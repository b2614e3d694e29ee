import { AppError, hasCode } from '../errors.ts'
import { admit } from './admit.ts'
import type { ConversionRequest, ConversionResult, ConvertedRendition } from './contract.ts'
import { decode } from './decode.ts'
import { readExif } from './exif.ts'
import { inspect } from './inspect.ts'
import { makePlaceholder, placeholderBox } from './placeholder.ts'
import { writeRenditions } from './renditions.ts'
import { enclosing, fitInside } from './size.ts'

/**
 * Converts one image in this process, which `limitSharp` has prepared. The original is decoded once,
 * to the size of the largest rendition; each rendition and the placeholder are made from that copy.
 * @param memory bytes the conversion may be estimated to need.
 * @throws AppError as `Converter` lists them.
 */
export async function convertImage(
  { input, outputDirectory, presets }: ConversionRequest,
  memory: number,
): Promise<ConversionResult> {
  try {
    const original = await inspect(input)
    const box = enclosing([...presets, placeholderBox])
    admit(original, box, memory)
    const raster = await decode(input, original, fitInside(original, box))
    const renditions: ConvertedRendition[] = []
    for (const preset of presets) {
      renditions.push(...(await writeRenditions(raster, original, preset, outputDirectory)))
    }
    return {
      format: original.format,
      width: original.width,
      height: original.height,
      exif: readExif(original.exif),
      ...(await makePlaceholder(raster)),
      renditions,
    }
  } catch (error) {
    throw asAppError(error)
  }
}

/** What is no AppError yet is not the file's fault: a disk that is full, a file that is gone. */
function asAppError(error: unknown): AppError {
  if (error instanceof AppError) return error
  if (hasCode(error, 'ENOSPC', 'EDQUOT')) {
    return new AppError('storage-full', 507, 'There is no room for the renditions.', {
      cause: error,
    })
  }
  return new AppError('conversion-failed', 503, 'The image could not be converted just now.', {
    cause: error,
  })
}
