/** What operations come to for an upload that stands somewhere. */
import { contentOf } from '../../support/storage.ts'
import { type Bringing, verdictOf } from './language.ts'
import type { Creation, Sending } from './operations.ts'
import { predict, type Standing } from './predictions.ts'
import type { Unsure } from './upload.ts'

const nothing: Buffer = Buffer.alloc(0)

/** The request that sends to an upload, so far from where it stands. */
export function bringingTo(upload: Standing, sending: Sending, offBy = 0): Bringing {
  const from = Math.max(0, upload.offset + offBy)
  const bytes = bytesOf(sending, upload)
  const { speech, chunked, completes, declares, digest } = sending
  const declared = declares === undefined ? undefined : Math.max(0, from + bytes.length + declares)
  return { speech, from, bytes, chunked, completes, declared, digest }
}

/** The same request with no more bytes than there is room for, and with nothing that could be wrong. */
export function fitting(upload: Standing, request: Bringing): Bringing {
  const room = (upload.length ?? Infinity) - upload.offset
  const bytes = request.bytes?.subarray(0, room)
  return { ...request, bytes, completes: false, declared: undefined, digest: undefined }
}

/** What may have become of a request that did not come to its end. */
export function unsureAfter(before: Standing, request: Bringing, sent: number): Unsure {
  const { chunked, digest } = request
  const bytes = request.bytes ?? nothing
  const whole = predict(before, request)
  const isCut = chunked || (request.speech === 'tus' && digest?.inTrailer) || sent < bytes.length
  const isVerified = verdictOf(request) !== 'none'
  // The excess of one that would be void may not have come.
  const room = whole.state === 'void' && chunked ? (whole.length ?? 0) - before.offset : 0
  const most = Math.min(sent, Math.max(whole.taken, room))
  const offsetAfter = before.offset + whole.taken
  return {
    sent: [bytes.subarray(0, most)],
    mayTake: (taken) => taken === 0 || !isVerified || (!isCut && taken === whole.taken),
    lengths: [before.length, whole.length, request.declared, whole.length ?? request.declared],
    mayBe({ state, offset, length }) {
      if (state === before.state) {
        const isLast = offset === length && offset > before.offset && whole.endsWithLastByte
        return state !== 'open' || !isLast
      }
      // In chunks it comes to its end only with the last of them, which has no bytes.
      const mayEnd = whole.state === 'complete' && (!isCut || whole.endsWithLastByte)
      if (state === 'complete') return mayEnd && offset === offsetAfter
      return state === whole.state
    },
  }
}

export function bringingFirst({ length, size, ...creation }: Creation): Bringing {
  const bytes = size === undefined ? undefined : contentOf(size, creation.seed)
  return { ...creation, from: undefined, bytes, declared: length }
}

function bytesOf({ size, seed }: Sending, { length, offset }: Standing): Buffer {
  if (typeof size === 'number') return contentOf(size, seed)
  const rest = length === undefined ? seed % 50 : length - offset
  return contentOf(Math.max(0, rest + size.rest), seed)
}
