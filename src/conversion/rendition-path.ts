import { join } from 'node:path'
import type { RenditionFormat } from './contract.ts'

/** Where a rendition is written; the same for whoever asks. */
export function renditionPath(directory: string, preset: string, format: RenditionFormat): string {
  return join(directory, `${preset}.${format}`)
}
