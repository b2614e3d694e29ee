import { AppError } from '../../errors.ts'

/** For an upload that is said to be there and is not. */
export function notArrived(): AppError {
  const message = 'The bytes have not arrived; send all of them to the link first.'
  return new AppError('upload-not-arrived', 409, message)
}

/** For bytes that arrived, and are not as many as was said. */
export function otherSize(expected: number, actual: number): AppError {
  const message = `The upload was to have ${expected} bytes, and ${actual} came. They are gone; send it again.`
  return new AppError('size-mismatch', 409, message)
}

/** For a request whose body is not of the size that the link was made for. */
export function wrongLength(expected: number): AppError {
  const message = `The link is for ${expected} bytes exactly, which Content-Length has to say.`
  return new AppError('size-mismatch', 400, message)
}

export function alreadyArrived(): AppError {
  const message = 'The bytes of this upload are there already, and do not change.'
  return new AppError('upload-arrived', 409, message)
}

/** For an upload that would be too large for one request to storage. */
export function tooLargeForLink(most: number): AppError {
  const message = `A link is for at most ${most} bytes; send larger files to /files.`
  return new AppError('upload-too-large', 413, message)
}
