/** What decoders say, in words for the owner of the file; the decoder's own are kept as the cause. */
import { readFileSync } from 'node:fs'
import { AppError, hasCode, messageOf } from '../errors.ts'
import { tooLarge } from './too-large.ts'

/** The failure (422) behind what a decoder said. */
export function corruptImage(cause: unknown): AppError {
  if (cause instanceof AppError) return cause
  const said = messageOf(cause)
  if (/out of memory|unable to (?:al)?locate|cannot allocate/i.test(said)) return noMemory(cause)
  const incomplete = /premature|truncat|unexpected end|end of file|bad seek/i.test(said)
  return new AppError(
    'corrupt-image',
    422,
    incomplete
      ? 'The image is incomplete: the file ends before the picture does.'
      : 'The image is damaged and cannot be read.',
    { cause },
  )
}

/** The failure (422) of HEIF whose pictures are coded in a way that nothing here decodes. */
export function unsupportedCodec(codec: string | undefined, cause: unknown): AppError {
  const name = codec ? `the codec ${codec}` : 'an unknown codec'
  return new AppError(
    'unsupported-codec',
    422,
    `The HEIF image is coded with ${name}, which cannot be decoded; HEVC (HEIC) and AV1 (AVIF) can.`,
    { cause },
  )
}

/** What is no AppError yet is not the file's fault: a disk that is full, a file that is gone. */
export function asAppError(error: unknown): AppError {
  if (error instanceof AppError) return error
  if (hasCode(error, 'ENOSPC', 'EDQUOT')) {
    return new AppError('storage-full', 507, 'There is no room for the renditions.', {
      cause: error,
    })
  }
  return new AppError('conversion-failed', 503, 'The image could not be converted just now.', {
    cause: error,
  })
}

/** Under a limit of our own it is the file that wanted too much; without one it is the machine. */
function noMemory(cause: unknown): AppError {
  if (hasDataLimit()) {
    return tooLarge('Converting the image took more memory than all conversions together may have.')
  }
  return new AppError('conversion-failed', 503, 'There was not enough memory for the image.', {
    cause,
  })
}

function hasDataLimit(): boolean {
  try {
    return /^Max data size\s+\d/m.test(readFileSync('/proc/self/limits', 'utf8'))
  } catch {
    return false
  }
}
