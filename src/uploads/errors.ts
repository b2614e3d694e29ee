import { AppError } from '../errors.ts'
import type { Upload } from './upload.ts'

export function uploadNotFound(): AppError {
  return new AppError('upload-not-found', 404, 'There is no such upload.')
}

/** For an upload that can neither be continued nor read. */
export function uploadGone({ state, failure }: Upload): AppError {
  return state === 'expired'
    ? new AppError('upload-expired', 410, 'The upload was not continued in time; start a new one.')
    : new AppError('upload-failed', 410, failure ?? 'The upload failed; start a new one.')
}

export function locked(): AppError {
  return new AppError('upload-locked', 423, 'The upload is in use by another request.', {
    retryAfter: 1,
  })
}

export function stopping(): AppError {
  return new AppError('stopping', 503, 'The server is about to stop; go on in a moment.', {
    retryAfter: 2,
  })
}

export function leaseLost(): AppError {
  return new AppError('lease-lost', 423, 'Another request continues this upload.', {
    retryAfter: 1,
  })
}

export function uploadTooLarge(maxSize: number): AppError {
  return new AppError('upload-too-large', 413, `Uploads have at most ${maxSize} bytes here.`)
}

/** Said with what is wrong about `Upload-Concat`. */
export function badConcat(reason: string): AppError {
  return new AppError('bad-concat', 400, `Upload-Concat cannot be followed: ${reason}.`)
}

/** For bytes sent to an upload that is made of others. */
export function uploadIsFinal(): AppError {
  return new AppError('upload-is-final', 403, 'The upload is made of others; it takes no bytes.')
}

export function inconsistentLength(): AppError {
  return new AppError(
    'inconsistent-length',
    400,
    'The length does not agree with what was said, or sent, before.',
  )
}

/** For the content of a request that is not what the request said. */
export function digestMismatch(field: string, status = 400): AppError {
  return new AppError('digest-mismatch', status, `The bytes are not those of ${field}.`)
}

/** For a whole upload that is not what was said when it was begun. */
export function reprDigestMismatch(): AppError {
  const message = 'The upload is not what Repr-Digest said it would be; start a new one.'
  return new AppError('repr-digest-mismatch', 400, message)
}

/** A request that continues from where the upload does not stand. */
export class OffsetMismatchError extends AppError {
  readonly expected: number
  readonly provided: number
  /** Whether the upload takes no bytes any more. */
  readonly isComplete: boolean

  constructor(expected: number, provided: number, isComplete: boolean) {
    super('offset-mismatch', 409, `The upload stands at ${expected} bytes.`)
    this.expected = expected
    this.provided = provided
    this.isComplete = isComplete
  }
}

/** For a field that is missing, malformed, or contradicts another one. */
export function badHeader(message: string): AppError {
  return new AppError('bad-header', 400, message)
}
