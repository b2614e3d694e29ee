import type { Random } from '../../test/support/random.ts'
import { type Claim, claimChecksum } from './checksums.ts'
import { type Dialect, markedName, type Sending, tus } from './dialect.ts'
import { drawClaim, drawEnd, type Plan } from './plan.ts'
import type { Watch } from './watch.ts'
import type { Body } from './wire.ts'

const bytesType = { 'Content-Type': 'application/offset+octet-stream' }
const trailerShare = 0.25

/** tus 1.0: an upload of its own, or one that another is made of. */
export function tusDialect(watch: Watch, plan: Plan, random: Random): Dialect {
  const { content } = watch
  return {
    speech: tus,
    creation() {
      const { isDeferred } = plan
      const to = Math.min(plan.sentAtOnce, content.size)
      const claim = to > 0 ? drawClaim(plan, random, to) : 'none'
      const { headers, body } = draw(to > 0, 0, to, claim)
      const name = claim === 'wrong' ? markedName(content.filename) : content.filename
      return {
        method: 'POST',
        headers: {
          ...metadataOf(name),
          ...(isDeferred ? { 'Upload-Defer-Length': 1 } : { 'Upload-Length': content.size }),
          ...(plan.role === 'part' && { 'Upload-Concat': 'partial' }),
          ...headers,
        },
        body,
        ...{ from: 0, to, claim, expected: 201 },
        ...(claim === 'wrong' && { markedAs: name }),
      }
    },
    append(from, end) {
      const to = drawEnd(plan, random, from, end)
      const claim = drawClaim(plan, random, to - from)
      const declaresLength = !watch.lengthIsKnown && to === content.size
      const { headers, body } = draw(true, from, to, claim)
      return {
        method: 'PATCH',
        headers: {
          'Upload-Offset': from,
          ...(declaresLength && { 'Upload-Length': content.size }),
          ...headers,
        },
        body,
        ...{ from, to, claim, declaresLength, expected: 204 },
        mayComplete: declaresLength,
      }
    },
  }

  function draw(
    hasBody: boolean,
    from: number,
    to: number,
    claim: Claim,
  ): Pick<Sending, 'headers' | 'body'> {
    if (!hasBody) return { headers: {}, body: undefined }
    const read = () => content.read(from, to)
    const size = to - from
    if (claim === 'none') return { headers: bytesType, body: { bytes: read(), size } }
    const { bytes, value } = claimChecksum(random, read, claim)
    const field = { 'Upload-Checksum': value }
    if (!random.chance(trailerShare)) {
      return { headers: { ...bytesType, ...field }, body: { bytes, size } }
    }
    const body: Body = { bytes, size, isChunked: true, trailer: field }
    return { headers: bytesType, body }
  }
}

/** An upload that is made of others, named by `header`. It takes no bytes. */
export function finalDialect({ content }: Watch, header: string): Dialect {
  return {
    speech: tus,
    creation: () => ({
      method: 'POST',
      headers: { ...metadataOf(content.filename), 'Upload-Concat': header },
      body: undefined,
      ...{ from: 0, to: 0, claim: 'none', mayComplete: true, expected: 201 },
    }),
    append() {
      throw new Error('a final upload takes no bytes')
    },
  }
}

function metadataOf(filename: string): Record<string, string> {
  return { 'Upload-Metadata': `filename ${Buffer.from(filename).toString('base64')}` }
}
