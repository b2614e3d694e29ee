import type { z } from '@hono/zod-openapi'
import type { Preset } from '../conversion/contract.ts'
import type { Limits } from '../uploads/limits/settings.ts'
import type { configSchema } from './schemas.ts'
import { uploadPath } from './server.ts'

export interface ClientConfigOptions {
  /** What clients call this server. */
  readonly publicUrl: string | undefined
  /** Bytes. */
  readonly maxSize: number
  readonly limits: Limits
  readonly presets: readonly Preset[]
}

/** Limits, and what clients do well to use: chunks that common proxies let through, and tries for a minute. */
export function clientConfig(options: ClientConfigOptions): z.infer<typeof configSchema> {
  const { publicUrl = '', maxSize, limits, presets } = options
  return {
    uploadUrl: `${publicUrl}${uploadPath}`,
    maxUploadSize: maxSize,
    accept: limits.accept ?? null,
    userMaxBytes: limits.userMaxBytes ?? null,
    userMaxUnfinished: limits.userMaxUnfinished ?? null,
    userUploadsPerMinute: limits.userUploadsPerMinute ?? null,
    chunkSize: 64 * 2 ** 20,
    retryDelays: [0, 1_000, 3_000, 5_000, 10_000, 20_000, 20_000],
    presets: presets.map(({ name, width, height, formats }) => ({
      name,
      width,
      height,
      formats: [...formats],
    })),
  }
}
