import { accessSync, constants } from 'node:fs'

/** Where packages of the operating system put it; `heif-dec` is the name newer versions have. */
const candidates = ['/usr/bin', '/usr/local/bin', '/opt/homebrew/bin'].flatMap((directory) =>
  ['heif-dec', 'heif-convert'].map((name) => `${directory}/${name}`),
)

/** The program of libheif that turns HEIC into PNG, if this machine has it; null if not. */
export function findHeifConvert(): string | null {
  return candidates.find(isExecutable) ?? null
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
