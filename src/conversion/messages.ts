/** What the server and a conversion process say to each other; each side parses what it hears. */
import { z } from 'zod'

const format = z.enum(['webp', 'avif', 'jpeg', 'png'])
const presetName = z.string().regex(/^[a-z0-9-]+$/)
const pixels = z.int().positive()

const preset = z.object({
  name: presetName,
  width: pixels,
  height: pixels,
  fit: z.enum(['inside', 'cover']),
  focus: z.union([z.literal('attention'), z.object({ x: z.number(), y: z.number() })]),
  animated: z.boolean(),
  formats: z.array(format).readonly(),
  quality: z.partialRecord(format, z.number()),
})

/** From the server: convert this; there is one job at a time. */
export const jobSchema = z.object({
  input: z.string(),
  outputDirectory: z.string(),
  presets: z.array(preset).readonly(),
  memory: z.number(),
})
export type Job = z.infer<typeof jobSchema>

const rendition = z.object({
  preset: presetName,
  format,
  contentType: z.string(),
  width: pixels,
  height: pixels,
  frames: z.int().positive(),
  size: z.int().positive(),
  sha256: z.hex().length(64),
})

const converted = z.object({
  type: z.literal('converted'),
  format: z.string(),
  width: pixels,
  height: pixels,
  exif: z.record(z.string(), z.unknown()).nullable(),
  thumbhash: z.base64(),
  color: z.string().regex(/^#[0-9a-f]{6}$/),
  renditions: z.array(rendition).readonly(),
})

const failed = z.object({
  type: z.literal('failed'),
  code: z.string(),
  status: z.int().min(400).max(599),
  message: z.string(),
  cause: z.string().optional(),
})

/** From the process: how the job ended. */
export const outcomeSchema = z.discriminatedUnion('type', [converted, failed])
export type Outcome = z.infer<typeof outcomeSchema>
