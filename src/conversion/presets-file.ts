/** The operator's own presets: `PRESETS_FILE`. */
import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { messageOf } from '../errors.ts'
import { SettingError } from '../settings.ts'
import type { Preset } from './contract.ts'
import { defaultQuality } from './presets.ts'

/** The largest side that WebP can have, so a box that is open on one side is that long there. */
const longestSide = 16_383
const mostPresets = 50
/** What stands, or may once stand, where the name of a preset does in a URL. */
const taken = ['content', 'original']

const whole = (from: number, to: number) => {
  const error = `a whole number from ${from} to ${to}`
  return z.int({ error }).min(from, { error }).max(to, { error })
}
const oneOf = <const T extends string>(...words: T[]) =>
  z.enum(words, { error: `one of ${words.join(', ')}` })
const fraction = z
  .number({ error: 'a number from 0 to 1' })
  .min(0, { error: 'a number from 0 to 1' })
  .max(1, { error: 'a number from 0 to 1' })

const side = whole(1, longestSide)
const percent = whole(1, 100)
const name = z
  .string({ error: 'a name' })
  .regex(/^[a-z0-9-]{1,64}$/, { error: 'a name of 1 to 64 lower-case letters, digits and dashes' })
  .refine((text) => !taken.includes(text), { error: `another name than ${taken.join(' or ')}` })
const focus = z.union(
  [oneOf('centre', 'attention'), z.strictObject({ x: fraction, y: fraction })],
  {
    error: 'centre, attention, or {"x": 0.5, "y": 0.5}',
  },
)
const quality = z.union(
  [
    percent,
    z.strictObject({
      webp: percent.optional(),
      avif: percent.optional(),
      jpeg: percent.optional(),
    }),
  ],
  { error: 'a whole number from 1 to 100, or one for each of webp, avif, jpeg' },
)
const formats = z
  .array(oneOf('webp', 'avif', 'jpeg', 'png'), { error: 'a list of formats' })
  .min(1, { error: 'at least one format' })
  .refine((list) => new Set(list).size === list.length, { error: 'each format once' })

const preset = z
  .strictObject(
    {
      name,
      width: side.optional(),
      height: side.optional(),
      fit: oneOf('inside', 'cover').default('inside'),
      focus: focus.default('centre'),
      formats,
      quality: quality.default({}),
      animated: z.boolean({ error: 'true or false' }).default(false),
    },
    { error: expectedObject },
  )
  .refine(({ width, height }) => width !== undefined || height !== undefined, {
    error: 'a width, a height or both',
  })
  .refine(({ fit, width, height }) => fit === 'inside' || (width && height), {
    error: 'both width and height, as fit is cover',
  })

const file = z.strictObject(
  {
    presets: z
      .array(preset, { error: 'a list of presets' })
      .min(1, { error: 'at least one preset' })
      .max(mostPresets, { error: `at most ${mostPresets} presets` })
      .superRefine(eachNameOnce),
  },
  { error: expectedObject },
)

/** Zod's word for a key it does not know is the better one. */
function expectedObject({ code }: { readonly code: string }): string | undefined {
  return code === 'invalid_type' ? 'an object' : undefined
}

function eachNameOnce(presets: readonly { name: string }[], context: z.RefinementCtx): void {
  presets.forEach(({ name }, index) => {
    if (presets.findIndex((other) => other.name === name) === index) return
    const message = `another name than ${name}, which one before it has`
    context.addIssue({ code: 'custom', path: [index, 'name'], message })
  })
}

/**
 * The presets of a file, in its order.
 * @param setting what named the file.
 * @throws SettingError that says where in the file what was expected.
 */
export function readPresetsFile(setting: string, path: string): readonly Preset[] {
  const wrong = (expected: string) => new SettingError(setting, path, inOneLine(expected))
  const text = trying(
    () => readFileSync(path, 'utf8'),
    (why) => wrong(`a file that can be read (${why})`),
  )
  const parsed: unknown = trying(
    () => JSON.parse(text.replace(/^\uFEFF/, '')),
    (why) => wrong(`JSON (${why})`),
  )
  const result = file.safeParse(parsed)
  if (result.success) return result.data.presets.map(toPreset)
  throw wrong(describe(result.error.issues[0]))
}

function trying<T>(work: () => T, failure: (why: string) => Error): T {
  try {
    return work()
  } catch (error) {
    throw failure(messageOf(error))
  }
}

function describe(issue: z.core.$ZodIssue | undefined): string {
  if (!issue) return 'presets'
  const where = issue.path.map(pathPart).join('') || 'the file'
  const keys = issue.code === 'unrecognized_keys' ? issue.keys.join(', ') : undefined
  return keys === undefined
    ? `${where.replace(/^\./, '')} to be ${issue.message}`
    : `${where.replace(/^\./, '')} to be without ${keys}, which is unknown`
}

function pathPart(part: PropertyKey): string {
  return typeof part === 'number' ? `[${part}]` : `.${String(part)}`
}

function toPreset(given: z.infer<typeof preset>): Preset {
  const { quality, focus, width = longestSide, height = longestSide, ...rest } = given
  const asked =
    typeof quality === 'number' ? { webp: quality, avif: quality, jpeg: quality } : defined(quality)
  return {
    ...rest,
    width,
    height,
    focus: focus === 'centre' ? { x: 0.5, y: 0.5 } : focus,
    quality: { ...defaultQuality, ...asked },
  }
}

function defined<T>(record: Readonly<Record<string, T | undefined>>): Record<string, T> {
  return Object.fromEntries(
    Object.entries(record).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
  )
}

function inOneLine(text: string): string {
  return text.replace(/\s+/g, ' ')
}
