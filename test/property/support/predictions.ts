/** What has to come of a request, by what is known of its upload. */
import { type Bringing, verdictOf } from './language.ts'

export type State = 'open' | 'complete' | 'void' | 'removed'

export interface Standing {
  readonly offset: number
  readonly length: number | undefined
  readonly state: State
}

export interface Prediction {
  /** Any of these is right. */
  readonly statuses: readonly number[]
  /** How many of the bytes count. */
  readonly taken: number
  readonly length: number | undefined
  readonly state: State
  /** Whether the last byte of a known length completes the upload, whatever comes after it. */
  readonly endsWithLastByte: boolean
}

/** What comes of an append, or, of nothing, of a creation with bytes. */
export function predict(standing: Standing, request: Bringing): Prediction {
  return request.speech === 'tus' ? predictTus(standing, request) : predictIetf(standing, request)
}

export const nothingYet: Standing = { offset: 0, length: undefined, state: 'open' }

function predictTus(standing: Standing, request: Bringing): Prediction {
  const { offset, state } = standing
  const { from = 0, declared, chunked } = request
  const size = request.bytes?.length ?? 0
  const verdict = verdictOf(request)
  const known = { ...standing, taken: 0, endsWithLastByte: true }
  const refused = (...statuses: number[]) => ({ ...known, statuses })
  if (state === 'removed') return refused(404)
  if (state === 'void') return refused(410)
  if (from !== offset) return refused(409)
  const length = standing.length ?? declared
  const conflicts = declared !== undefined && (declared < offset || length !== declared)
  if (state === 'complete') {
    if (size > 0) return refused(413, ...(conflicts ? [400] : []))
    if (conflicts) return refused(400)
    return verdict === 'wrong' ? refused(204, 460) : refused(204)
  }
  if (conflicts) return refused(400)
  const room = (length ?? Infinity) - offset
  if (size > room) {
    if (!chunked && !request.digest?.inTrailer) return refused(413)
    if (verdict !== 'none') return refused(413)
    return { ...known, statuses: [413], taken: room, length, state: room > 0 ? 'complete' : 'open' }
  }
  // What is said with bytes that do not count does not count either.
  if (verdict === 'wrong') return refused(460)
  const ends = offset + size === length
  const success = request.from === undefined ? 201 : 204
  return { ...refused(success), taken: size, length, state: ends ? 'complete' : 'open' }
}

function predictIetf(standing: Standing, request: Bringing): Prediction {
  const { offset, state } = standing
  const { from = 0, chunked, completes } = request
  const isOld = Number(request.speech) < 7
  const size = request.bytes?.length ?? 0
  const verdict = verdictOf(request)
  const isWhole = completes && (!chunked || request.bytes === undefined)
  const known = { ...standing, taken: 0, endsWithLastByte: isWhole }
  const refused = (...statuses: number[]) => ({ ...known, statuses })
  const implied = isWhole ? from + size : undefined
  if ((request.declared ?? implied) !== (implied ?? request.declared)) return refused(400)
  const declared = implied ?? request.declared
  if (state === 'removed') return refused(404)
  if (state === 'void') return refused(isOld ? 404 : 410)
  if (state === 'complete' && isOld) return refused(400)
  if (from !== offset) return refused(409)
  const length = standing.length ?? declared
  const conflicts = declared !== undefined && (declared < offset || length !== declared)
  if (state === 'complete') {
    if (size > 0 || !completes) return refused(400, 409)
    return conflicts ? refused(400) : refused(201)
  }
  if (conflicts) return refused(400)
  if (size > (length ?? Infinity) - offset) return beyond(request, { ...known, length }, standing)
  if (verdict === 'wrong')
    return request.from === undefined ? { ...refused(400), length } : refused(400)
  if (completes && offset + size !== (length ?? offset + size)) {
    return { ...refused(400), taken: size, length }
  }
  const success = completes || isOld || request.from === undefined ? 201 : 204
  const end = completes ? offset + size : length
  return { ...refused(success), taken: size, length: end, state: completes ? 'complete' : 'open' }
}

/** More than there is room for: it is void by the newest rules, and by others what fits may count. */
function beyond(
  request: Bringing,
  known: Omit<Prediction, 'statuses'>,
  { offset, length }: Standing,
): Prediction {
  const statuses = [400]
  if (Number(request.speech) >= 7) return { ...known, statuses, state: 'void' }
  if (!request.chunked || verdictOf(request) !== 'none') return { ...known, statuses, length }
  return { ...known, statuses, taken: (known.length ?? offset) - offset }
}
