import { admit } from './admit.ts'
import type { ConversionRequest, ConversionResult, ConvertedRendition } from './contract.ts'
import { decode } from './decode.ts'
import { readExif } from './exif.ts'
import { asAppError } from './failures.ts'
import { openOriginal } from './heif.ts'
import { inspect } from './inspect.ts'
import { makePlaceholder } from './placeholder.ts'
import { encodeTask, writeRenditions } from './renditions.ts'

/** What a conversion may use. */
export interface Means {
  /** Bytes of memory that all conversions together may be estimated to need. */
  readonly memory: number
  /** The program that decodes HEIC, if the machine has it. */
  readonly heifConvert: string | undefined
  /** Resolves once there is room for what a conversion of this format is estimated to need. */
  reserve(format: string, bytes: number): Promise<void>
}

/**
 * Converts one image in this process, which `limitSharp` has prepared. The original is decoded once,
 * to the size of the largest rendition; each still and the placeholder are made from that copy.
 * @throws AppError as `Converter` lists them.
 */
export async function convertImage(
  { input, outputDirectory, presets }: ConversionRequest,
  means: Means,
): Promise<ConversionResult> {
  try {
    const original = await inspect(input)
    const { plan, bytes } = admit(original, presets, means.memory)
    await means.reserve(original.format, bytes)
    await using opened = await openOriginal(original, outputDirectory, means.heifConvert)
    const copy = await decode(opened.input, plan.copy)
    const renditions: ConvertedRendition[] = []
    for (const task of plan.tasks) {
      const encoded = await encodeTask(task, opened.input, copy)
      renditions.push(...(await writeRenditions(task, encoded, outputDirectory)))
    }
    const placeholder = await makePlaceholder(copy)
    const { format, width, height } = original
    const exif = readExif(original.exif)
    const inOrder = presets.flatMap(({ name }) =>
      renditions.filter(({ preset }) => preset === name),
    )
    return { format, width, height, exif, ...placeholder, renditions: inOrder }
  } catch (error) {
    throw asAppError(error)
  }
}
