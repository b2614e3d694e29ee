import type { Random } from '../../test/support/random.ts'
import { type Claim, claimDigest } from './checksums.ts'
import { type Dialect, type Interop, ietf, markedName, type Sending } from './dialect.ts'
import { drawClaim, drawEnd, type Plan } from './plan.ts'
import type { Watch } from './watch.ts'

const chunkedShare = 0.3
/** How often the last bytes are said to be the last; else an empty request says so afterwards. */
const completingShare = 0.8
const tellsLengthShare = 0.5
/** From this version on an append has a media type, and lengths are said. */
const firstWithLength = 6
/** From this version on an append without a final answer is 204. */
const firstWithNoContent = 7

/** Resumable Uploads for HTTP, in one of its iterations. */
export function ietfDialect(watch: Watch, plan: Plan, random: Random, interop: Interop): Dialect {
  const { content } = watch
  return {
    speech: ietf(interop),
    creation() {
      const to = Math.min(plan.sentAtOnce, content.size)
      const claim = to > 0 ? drawClaim(plan, random, to) : 'none'
      const name = claim === 'wrong' ? markedName(content.filename) : content.filename
      const sending = request(0, to, claim)
      return {
        ...sending,
        method: 'POST',
        expected: 201,
        ...(claim === 'wrong' && { markedAs: name }),
        headers: {
          ...sending.headers,
          'Content-Type': content.isPhoto ? 'image/jpeg' : 'application/octet-stream',
          'Content-Disposition': `attachment; filename="${name}"`,
        },
      }
    },
    append(from, end) {
      const to = drawEnd(plan, random, from, end)
      const sending = request(from, to, drawClaim(plan, random, to - from))
      return {
        ...sending,
        headers: {
          ...sending.headers,
          'Upload-Offset': from,
          ...(interop >= firstWithLength && { 'Content-Type': 'application/partial-upload' }),
        },
      }
    },
  }

  function request(from: number, to: number, claim: Claim): Sending {
    const isLast = to === content.size
    const mayComplete = isLast && (from === to || random.chance(completingShare))
    const tellsLength =
      !plan.isDeferred && interop >= firstWithLength && random.chance(tellsLengthShare)
    const read = () => content.read(from, to)
    const claimed = claim === 'none' ? undefined : claimDigest(random, read, claim)
    return {
      method: 'PATCH',
      headers: {
        'Upload-Complete': mayComplete ? '?1' : '?0',
        ...(tellsLength && { 'Upload-Length': content.size }),
        ...(claimed && { 'Content-Digest': claimed.value }),
      },
      body: {
        bytes: claimed?.bytes ?? read(),
        size: to - from,
        isChunked: random.chance(chunkedShare),
      },
      ...{ from, to, claim, mayComplete },
      expected: mayComplete || interop < firstWithNoContent ? 201 : 204,
    }
  }
}
