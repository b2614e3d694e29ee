/** Whether the conversion of a file of the corpus ended as it may, as a client sees it. */
import sharp from 'sharp'
import type { Entry, ReadyFacts } from '../fixtures/corpus/entry.ts'
import { quarters } from '../fixtures/images.ts'
import type { Api, ImageView, RenditionView } from './api.ts'
import { sha256Of } from './api.ts'

/** Words that say something to those who wrote the decoder only, or that a person should never see. */
const jargon = [
  /vips|sharp|lib(?:jpeg|png|tiff|webp|spng|rsvg|xml|heif)|errno|errored|stack|wbuffer|linecache|bad seek/i,
  /\b(?:undefined|null|NaN|Infinity|E[A-Z]{4,}|SIG[A-Z]+)\b|error:|child process/,
  /\b0x|[\\/]\w+[\\/]|\n/,
]

const sentence = /^[A-Z].*\w.*\.$/s

/** Everything that is wrong; nothing, when all is as expected. */
export async function verdictOn(
  api: Api,
  { name, expected }: Entry,
  image: ImageView,
  bytes: Buffer,
  presets: readonly string[],
): Promise<string[]> {
  const wrong: string[] = []
  const say = (what: string) => wrong.push(`${name}: ${what}`)
  if (image.state === 'failed') checkFailure(image, expected.codes, say)
  else if (!expected.ready) say(`is ready, and must not be`)
  else await checkReady(api, image, expected.ready, presets, say)
  if (image.size !== bytes.length) say(`has ${image.size} bytes instead of ${bytes.length}`)
  if (image.sha256 !== sha256Of(bytes)) say('has another SHA-256')
  if (!(await api.content(image.id)).equals(bytes)) say('comes back changed')
  return wrong
}

type Say = (what: string) => void

function checkFailure({ error, renditions }: ImageView, codes: readonly string[], say: Say): void {
  const { code = 'none', message = '' } = error ?? {}
  if (!codes.includes(code)) say(`failed with ${code}: ${message}`)
  if (!sentence.test(message) || jargon.some((word) => word.test(message)))
    say(`tells nobody anything: ${message}`)
  if (renditions.length > 0) say('failed with renditions')
}

async function checkReady(
  api: Api,
  image: ImageView,
  facts: ReadyFacts,
  presets: readonly string[],
  say: Say,
): Promise<void> {
  for (const fact of ['format', 'width', 'height'] as const) {
    const wanted = facts[fact]
    if (wanted !== undefined && image[fact] !== wanted)
      say(`${fact} is ${image[fact]}, not ${wanted}`)
  }
  if (image.error) say('is ready with an error')
  if (!/^#[0-9a-f]{6}$/.test(image.color ?? '')) say(`has the colour ${image.color}`)
  if (!image.thumbhash) say('has no ThumbHash')
  const made = new Set(image.renditions.map(({ preset }) => preset))
  for (const preset of presets) if (!made.has(preset)) say(`has no ${preset}`)
  for (const rendition of image.renditions) await checkRendition(api, rendition, facts, say)
}

async function checkRendition(
  api: Api,
  rendition: RenditionView & { readonly frames?: number },
  facts: ReadyFacts,
  say: Say,
): Promise<void> {
  const { preset, format, width, height, size } = rendition
  const complain = (what: string) => say(`${preset} as ${format} ${what}`)
  const bytes = await api.bytes(rendition.url)
  if (bytes.length !== size) complain(`has ${bytes.length} bytes instead of ${size}`)
  const metadata = await sharp(bytes).metadata()
  const actual = metadata.format === 'heif' ? 'avif' : metadata.format
  if (actual !== format) complain(`is ${actual}`)
  const frames = rendition.frames ?? metadata.pages ?? 1
  if ((metadata.pages ?? 1) !== frames) complain(`has ${metadata.pages} frames, not ${frames}`)
  const { data, info } = await sharp(bytes)
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true })
  if (info.width !== width || info.height !== height) complain(`is ${info.width} × ${info.height}`)
  const pixels = { data, ...info }
  if (facts.showsQuarters) checkQuarters(pixels, complain)
  if (facts.isAll !== undefined) checkColor(pixels, facts.isAll, complain)
}

interface Pixels {
  readonly data: Buffer
  readonly width: number
  readonly height: number
  readonly channels: number
}

/** What lossy encoders and palettes may be off by, of 255. */
const tolerance = 26

function checkQuarters(pixels: Pixels, complain: Say): void {
  for (const [index, color] of quarters.entries()) {
    const x = Math.floor(pixels.width * (0.25 + 0.5 * (index % 2)))
    const y = Math.floor(pixels.height * (0.25 + 0.5 * Math.floor(index / 2)))
    const seen = colorAt(pixels, y * pixels.width + x)
    if (!isNear(seen, color))
      complain(`shows ${seen.join(',')} in quarter ${index} instead of ${color}`)
  }
}

function checkColor(pixels: Pixels, color: string, complain: Say): void {
  for (let each = 0; each < pixels.width * pixels.height; each += 1) {
    const seen = colorAt(pixels, each)
    if (isNear(seen, color)) continue
    complain(`shows ${seen.join(',')} instead of ${color}`)
    return
  }
}

function colorAt({ data, channels }: Pixels, pixel: number): number[] {
  const samples = [...data.subarray(pixel * channels, pixel * channels + 3)]
  return channels < 3 ? Array(3).fill(samples[0] ?? 0) : samples
}

function isNear(seen: readonly number[], color: string): boolean {
  const wanted = Number.parseInt(color.slice(1), 16)
  return [wanted >> 16, (wanted >> 8) & 255, wanted & 255].every(
    (sample, index) => Math.abs(sample - (seen[index] ?? 0)) <= tolerance,
  )
}
