import { AppError } from '../../errors.ts'
import type { Accept } from './accept.ts'
import type { Rate } from './rate.ts'

/** For an upload of a type that is not taken here, by what is said of it or by its content. */
export function typeNotAccepted(accept: Accept): AppError {
  const message = `Files of this type are not taken here, only ${(accept ?? ['*/*']).join(', ')}.`
  return new AppError('type-not-accepted', 415, message)
}

/** For an upload with which its owner would have more bytes than may be. */
export function quotaExceeded(most: number): AppError {
  const message = `You may have ${most} bytes in uploads, and would have more with this one.`
  return new AppError('quota-exceeded', 413, message)
}

export function tooManyUnfinished(most: number): AppError {
  const message = `You may have ${most} unfinished uploads; finish or remove some first.`
  return new AppError('too-many-unfinished', 429, message)
}

/** For somebody who begins uploads faster than may be. */
export class TooManyUploadsError extends AppError {
  readonly rate: Rate

  /** @param retryAfter seconds until the next one may begin. */
  constructor(rate: Rate, retryAfter: number) {
    const message = `You may begin ${rate.perMinute} uploads in a minute.`
    super('too-many-uploads', 429, message, { retryAfter })
    this.rate = rate
  }
}
