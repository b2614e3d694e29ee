import { AppError } from '../errors.ts'

/** Bytes of a file. A thousand megapixels of four channels of sixteen bits take no more. */
export const largestOriginal = 8_000_000_000

/** The failure (422) of an image that would take more than there is to spend; the message says of what. */
export function tooLarge(message: string): AppError {
  return new AppError('image-too-large', 422, message)
}

export function grouped(value: number): string {
  return value.toLocaleString('en-US')
}

export function mebibytes(bytes: number): string {
  return `${grouped(Math.ceil(bytes / 2 ** 20))} MiB`
}

export function megabytes(bytes: number): string {
  return `${grouped(Math.ceil(bytes / 1e6))} MB`
}
