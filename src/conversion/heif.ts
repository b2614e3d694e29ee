/**
 * HEIC and other HEIF, whose pixels sharp's build cannot read: turned into a file that it can, by
 * libheif as a program or as WebAssembly. Either applies rotation and mirroring, and what the EXIF
 * block says about orientation does not count in HEIF (ISO/IEC 23008-12, A.3), so nothing is turned
 * afterwards.
 */
import { execFile } from 'node:child_process'
import { readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type AppError, messageOf } from '../errors.ts'
import type { Input } from './decode.ts'
import { corruptImage, unsupportedCodec } from './failures.ts'
import type { Inspected } from './inspect.ts'
import { writeRgbaTiff } from './rgba-tiff.ts'
import { pixelsOf } from './size.ts'
import { grouped, tooLarge } from './too-large.ts'

/** Without the program: WebAssembly holds several copies of the pixels and takes its time. */
export const mostWasmPixels = 50_000_000

/** An original in a form that sharp decodes. */
export interface Opened extends AsyncDisposable {
  readonly input: Input
}

/**
 * Makes an original readable; what it takes is written into `directory` and removed again.
 * @throws AppError `unsupported-codec`, `corrupt-image` or `image-too-large` (422).
 */
export async function openOriginal(
  original: Inspected,
  directory: string,
  heifConvert: string | undefined,
): Promise<Opened> {
  const { source, width, height } = original
  if (original.format !== 'heic' || typeof source !== 'string') {
    return { input: { source, width, height }, [Symbol.asyncDispose]: async () => undefined }
  }
  const path = join(directory, '.decoded')
  const dispose = () => rm(path, { force: true })
  try {
    await decodeHeif(original, source, path, heifConvert)
  } catch (error) {
    await dispose()
    throw error
  }
  return {
    input: { source: path, width, height, autoOrient: false, isOpaque: original.channels === 3 },
    [Symbol.asyncDispose]: dispose,
  }
}

async function decodeHeif(
  original: Inspected,
  source: string,
  path: string,
  heifConvert: string | undefined,
): Promise<void> {
  // Of several pictures the program writes all, and does not say which is the one to show.
  const hasProgram = heifConvert !== undefined && original.pages === 1
  const said = hasProgram ? await runProgram(heifConvert, source, path) : undefined
  if (hasProgram && said === undefined) return
  if (pixelsOf(original) > mostWasmPixels) {
    if (said !== undefined) throw undecodable(original, said)
    throw tooLarge(
      `The HEIC image has ${grouped(original.width)} × ${grouped(original.height)} pixels; ` +
        `at most ${grouped(mostWasmPixels / 1e6)} megapixels can be converted without heif-convert.`,
    )
  }
  // What is packaged may be older than what phones write, and libheif as WebAssembly is not.
  await decodeWithWasm(original, source, path).catch((error) => {
    throw undecodable(original, [said, messageOf(error)].filter(Boolean).join('; '))
  })
}

/** What the program complained of, undefined if it did not. */
async function runProgram(program: string, source: string, path: string) {
  // It goes by the ending of the name.
  const png = `${path}.png`
  try {
    await promisify(execFile)(program, [source, png], { env: {}, maxBuffer: 2 ** 16 })
    await rename(png, path)
    return undefined
  } catch (error) {
    await rm(png, { force: true })
    return messageOf(error).trim().slice(-500)
  }
}

async function decodeWithWasm(original: Inspected, source: string, path: string): Promise<void> {
  const { default: heicDecode } = await import('heic-decode')
  const buffer = await readFile(source)
  // The package knows fewer major brands than libheif does.
  buffer.write('mif1', 8, 'latin1')
  const pictures = await heicDecode.all({ buffer })
  try {
    const { width, height } = original
    const picture = pictures.find((one) => one.width === width && one.height === height)
    if (!picture) throw new Error('no picture of the size that the header says')
    const { data } = await picture.decode()
    await writeRgbaTiff(path, { width, height, data, icc: original.icc })
  } finally {
    pictures.dispose()
  }
}

function undecodable({ codec }: Inspected, said: string): AppError {
  return codec === 'hevc' ? corruptImage(new Error(said)) : unsupportedCodec(codec, said)
}
