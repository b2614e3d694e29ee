/** Which rendition of a picture is sent, and what is said while there is none. */
import type { Context } from 'hono'
import type { Preset } from '../conversion/contract.ts'
import { AppError, hasCode } from '../errors.ts'
import type { Image, Rendition } from '../images/image.ts'
import type { Upload } from '../uploads/upload.ts'
import { negotiate } from './negotiate.ts'
import { notFound } from './problem.ts'

/** What is made of every image at present. */
export type Presets = readonly Pick<Preset, 'name' | 'formats'>[]

/** What is asked for of a picture. */
export interface Wanted {
  readonly preset: string
  /** By name; decides alone. */
  readonly format?: string | undefined
}

export function createChoice(presets: Presets) {
  const formatsOf = new Map(presets.map(({ name, formats }) => [name, formats]))

  /** The rendition to deliver, or the answer that it is not there yet. */
  return (
    c: Context,
    picture: Image | Upload,
    { preset, format }: Wanted,
  ): Rendition | Response => {
    const formats: readonly string[] = formatsOf.get(preset) ?? []
    const all = 'renditions' in picture ? picture.renditions : []
    const made = all
      .filter((one) => one.preset === preset)
      .toSorted((a, b) => formats.indexOf(a.format) - formats.indexOf(b.format))
    // Those of a preset that is no longer made stay as long as their image.
    if (formats.length === 0 && made.length === 0) throw notFound('preset')
    const unsettled = answerUnsettled(c, picture)
    if (unsettled) return unsettled
    const depends = format === undefined && Math.max(formats.length, made.length) > 1
    if (depends) c.header('Vary', 'Accept', { append: true })
    const chosen = format
      ? made.find((one) => one.format === format)
      : negotiate(c.req.header('Accept'), made)
    if (chosen) return chosen
    if (format && !formats.includes(format)) throw notFound('rendition')
    throw made.length > 0 && format ? notMadeIn(format) : notMade(preset)
  }
}

/**
 * That a picture is not converted yet; undefined when it is.
 * @throws AppError the image's own (422) when it cannot be.
 */
export function answerUnsettled(c: Context, picture: Image | Upload): Response | undefined {
  if (!('renditions' in picture) || picture.state === 'processing') return notReady(c, picture)
  if (picture.error) throw new AppError(picture.error.code, 422, picture.error.message)
  return undefined
}

/** The preset of a picture by size: the smallest one that can fill a square without being enlarged. */
export function createSizing(presets: Presets) {
  const order = presets.map(({ name }) => name)
  const rankOf = ({ preset }: Rendition) => {
    const rank = order.indexOf(preset)
    return rank < 0 ? order.length : rank
  }
  /**
   * @param size pixels of a side of the square; undefined for the smallest there is.
   * @returns the largest preset when none covers it; undefined when there are none.
   */
  return (renditions: readonly Rendition[], size = 1): string | undefined => {
    const bySize = renditions.toSorted(
      (a, b) => a.width * a.height - b.width * b.height || rankOf(a) - rankOf(b),
    )
    const covering = bySize.find(({ width, height }) => Math.min(width, height) >= size)
    const largest = bySize.at(-1)
    const chosen =
      covering ??
      bySize.find((one) => one.width === largest?.width && one.height === largest.height)
    return chosen?.preset
  }
}

/** Sends what a look finds. What was made anew since, under another key, is looked for once more. */
export async function sendChosen(
  look: () => Promise<Rendition | Response>,
  send: (rendition: Rendition) => Promise<Response>,
): Promise<Response> {
  const chosen = await look()
  if (chosen instanceof Response) return chosen
  try {
    return await send(chosen)
  } catch (error) {
    if (!hasCode(error, 'object-not-found')) throw error
    const now = await look()
    return now instanceof Response ? now : send(now)
  }
}

function notReady(c: Context, { id, state }: Image | Upload): Response {
  return c.json({ id, state }, 202, { 'Retry-After': '1', 'Cache-Control': 'no-store' })
}

function notMade(preset: string): AppError {
  const remedy = `"npm run reconvert -- --preset ${preset}" makes what is missing`
  const message = `The preset was not made of this image, as it was set up later; ${remedy}.`
  return new AppError('rendition-not-made', 404, message)
}

/** What moves goes on moving as WebP alone, and making it anew changes nothing of that. */
function notMadeIn(format: string): AppError {
  const message = `The preset was made of this image, but no ${format} of it: the image moves, or the format was set up later.`
  return new AppError('rendition-not-made', 404, message)
}
