/**
 * What the server and a conversion process say to each other; each side parses what it hears.
 *
 *     server              process
 *     convert ──────────▶ looks at the file
 *             ◀────────── estimate
 *     go      ──────────▶ converts, once the server has the memory for it
 *             ◀────────── converted
 *
 * Instead of an estimate or a result there may be `failed`.
 */
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
const job = z.object({
  type: z.literal('convert'),
  input: z.string(),
  outputDirectory: z.string(),
  presets: z.array(preset).readonly(),
  memory: z.number(),
  heifConvert: z.string().optional(),
})
export type Job = z.infer<typeof job>

/** From the server. */
export const orderSchema = z.discriminatedUnion('type', [job, z.object({ type: z.literal('go') })])
export type Order = z.infer<typeof orderSchema>

const rendition = z.object({
  preset: presetName,
  format,
  // It is served as this: a decoder that was taken over must not be able to make it a page.
  contentType: z.string().regex(/^image\/(?:webp|avif|jpeg|png)$/),
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

/** The bytes of memory a job will need. */
const estimate = z.object({
  type: z.literal('estimate'),
  format: z.string(),
  bytes: z.number().positive(),
})
export type Estimate = z.infer<typeof estimate>

/** How a job ended. */
export type Outcome = z.infer<typeof converted> | z.infer<typeof failed>

/** From the process. */
export const replySchema = z.discriminatedUnion('type', [estimate, converted, failed])
export type Reply = z.infer<typeof replySchema>
