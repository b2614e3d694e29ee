import type { Preset } from '../conversion/contract.ts'
import { renditionKey } from '../storage/keys.ts'

/** Where the renditions of an image are, once they are made. */
export function keysOf(presets: readonly Preset[], imageId: string): string[] {
  return presets.flatMap(({ name, formats }) =>
    formats.map((format) => renditionKey(imageId, name, format)),
  )
}
