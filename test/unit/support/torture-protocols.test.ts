/** What the torture looks at in checksums, in uploads made of others, and in the IETF protocol. */
import { describe, expect, it } from 'vitest'
import { noise } from '../../../scripts/torture/contents.ts'
import { type Answer, type Asked, Violation, Watch } from '../../../scripts/torture/watch.ts'

const size = 1_000

function answer(method: string, status: number, offset?: number, length?: number): Answer {
  const headers = {
    ...(offset !== undefined && { 'upload-offset': `${offset}` }),
    ...(length !== undefined && { 'upload-length': `${length}` }),
  }
  return { method, status, headers, text: '' }
}

const seeing = (watch: Watch, seen: Answer, before = watch.before(), asked: Asked = {}) =>
  expect(() => watch.saw(before, seen, asked))

describe('a watched upload whose bytes come with a digest', () => {
  const right: Asked = { claim: 'right', to: size, expected: 204 }
  const wrong: Asked = { claim: 'wrong', to: size, expected: 204 }

  /** Of which half came without a digest, and the rest is sent with one. */
  function sendingTheRest(claim: 'right' | 'wrong', countsInBetween = false): Watch {
    const watch = new Watch('upload', noise(size, 'seed'), { countsInBetween })
    watch.sending(0, size / 2)
    watch.saw(watch.before(), answer('PATCH', 204, size / 2))
    watch.sending(size / 2, size, claim)
    return watch
  }

  it('may have all of them or none', () => {
    seeing(sendingTheRest('right'), answer('HEAD', 200, size / 2, size)).not.toThrow()
    seeing(sendingTheRest('right'), answer('HEAD', 200, size, size)).not.toThrow()
    seeing(sendingTheRest('right'), answer('HEAD', 200, 700, size)).toThrow('in the midst of')
    const told = sendingTheRest('right')
    expect(() => told.sawProgress({ 'upload-offset': '700' })).toThrow('in the midst of')
  })

  it('may have some of them where they are verified before they are put together', () => {
    seeing(sendingTheRest('right', true), answer('HEAD', 200, 700, size)).not.toThrow()
    seeing(sendingTheRest('wrong', true), answer('HEAD', 200, 700, size)).toThrow('only 500')
  })

  it('may have none when they are wrong, whatever became of the request', () => {
    const watch = sendingTheRest('wrong')
    seeing(watch, answer('PATCH', 460), watch.before(), wrong).not.toThrow()
    seeing(watch, answer('HEAD', 200, size / 2, size)).not.toThrow()
    seeing(watch, answer('HEAD', 200, 501, size)).toThrow('only 500 bytes were sent')
  })

  it('may not take wrong ones, or refuse right ones', () => {
    const watch = sendingTheRest('wrong')
    seeing(watch, answer('PATCH', 204, size / 2), watch.before(), wrong).toThrow('were taken')
    seeing(watch, answer('POST', 201, 0), watch.before(), wrong).toThrow('were taken')
    const other = sendingTheRest('right')
    seeing(other, answer('PATCH', 460), other.before(), right).toThrow('were refused')
    seeing(other, answer('PATCH', 204, 500), other.before(), right).toThrow('after all up to 1000')
  })

  it('may fail of a trouble that passes, wrong ones or not', () => {
    const watch = sendingTheRest('wrong')
    for (const status of [409, 423, 503]) {
      seeing(watch, answer('PATCH', status), watch.before(), wrong).not.toThrow()
    }
    seeing(watch, answer('PATCH', 400), watch.before(), wrong).toThrow(Violation)
  })

  it('may not be made of wrong ones', () => {
    const made = { ...answer('POST', 460), headers: { location: '/files/1' } }
    const watch = sendingTheRest('wrong')
    seeing(watch, made, watch.before(), wrong).toThrow('an upload was made')
  })
})

describe('an upload watched in the IETF protocol', () => {
  const ietf: Asked = { protocol: 'ietf' }

  function told(method: string, status: number, offset: number, complete: boolean): Answer {
    const plain = answer(method, status, offset)
    return { ...plain, headers: { ...plain.headers, 'upload-complete': complete ? '?1' : '?0' } }
  }

  /** Of which all bytes were acknowledged, and nothing more was said. */
  function withAllBytes(): Watch {
    const watch = new Watch('upload', noise(size, 'seed'), { completes: 'when it is said' })
    watch.sending(0, size)
    watch.saw(watch.before(), told('PATCH', 204, size, false), ietf)
    return watch
  }

  it('is not complete before somebody says so', () => {
    const watch = withAllBytes()
    expect(watch.isComplete).toBe(false)
    seeing(watch, told('HEAD', 204, size, true), watch.before(), ietf).toThrow('nobody said')
    seeing(watch, answer('HEAD', 200, size, size)).toThrow('nobody said')
    watch.completing()
    seeing(watch, told('HEAD', 204, size, true), watch.before(), ietf).not.toThrow()
    expect(watch.isComplete).toBe(true)
  })

  it('is complete in the other protocol, too, when it has its length', () => {
    const watch = withAllBytes()
    watch.completing()
    watch.saw(watch.before(), answer('HEAD', 200, size))
    expect(watch.isComplete).toBe(false)
    watch.saw(watch.before(), answer('HEAD', 200, size, size))
    expect(watch.isComplete).toBe(true)
  })

  it('may not be complete with some of its bytes, or cease to be', () => {
    const watch = withAllBytes()
    watch.completing()
    const other = new Watch('upload', noise(size, 'seed'), { completes: 'when it is said' })
    other.sending(0, size)
    other.completing()
    seeing(other, told('HEAD', 204, 10, true), other.before(), ietf).toThrow('complete with 10 of')
    watch.saw(watch.before(), told('PATCH', 201, size, true), ietf)
    seeing(watch, told('HEAD', 204, size, false), watch.before(), ietf).toThrow('not complete any')
    seeing(watch, answer('HEAD', 200, size)).toThrow('not complete any more')
  })

  it('may not lose what an interim answer said is safe, or a refusal', () => {
    const watch = new Watch('upload', noise(size, 'seed'), { completes: 'when it is said' })
    watch.sending(0, size)
    watch.sawProgress({ 'upload-offset': '300' })
    seeing(watch, told('HEAD', 204, 299, false), watch.before(), ietf).toThrow('went down')
    seeing(watch, told('PATCH', 409, 299, false), watch.before(), ietf).toThrow('went down')
    seeing(watch, told('PATCH', 409, 400, false), watch.before(), ietf).not.toThrow()
    expect(watch.acknowledged).toBe(400)
  })

  it('may be refused bytes for their digest only when that is wrong', () => {
    const watch = withAllBytes()
    const refused = { ...answer('PATCH', 400), text: '{"code":"digest-mismatch"}' }
    const wrong: Asked = { ...ietf, claim: 'wrong' }
    seeing(watch, refused, watch.before(), wrong).not.toThrow()
    seeing(watch, refused, watch.before(), ietf).toThrow('were refused')
  })

  it('may have no other status than that of its version', () => {
    const watch = withAllBytes()
    const asked: Asked = { ...ietf, expected: 204 }
    seeing(watch, told('PATCH', 201, size, false), watch.before(), asked).toThrow('answered 201')
  })

  it('may be said to be complete already, but only when that was asked for', () => {
    const late = { ...answer('PATCH', 400), text: '{"type":"…#completed-upload"}' }
    const watch = withAllBytes()
    seeing(watch, late, watch.before(), ietf).toThrow('answered 400')
    watch.completing()
    seeing(watch, late, watch.before(), ietf).not.toThrow()
  })
})

describe('a watched upload that is made of others', () => {
  function final(): Watch {
    const options = { isFinal: true, completes: 'when it is said' } as const
    const watch = new Watch('upload', noise(size, 'seed'), options)
    watch.sending(size, size)
    watch.completing()
    watch.concat = 'final;/files/1 /files/2'
    return watch
  }
  const head = (offset?: number, length?: number, concat = 'final;/files/1 /files/2') => {
    const plain = answer('HEAD', 200, offset, length)
    return { ...plain, headers: { ...plain.headers, 'upload-concat': concat } }
  }

  it('has no offset before it has all bytes, and then that of its length', () => {
    seeing(final(), head()).not.toThrow()
    seeing(final(), head(undefined, size)).not.toThrow()
    seeing(final(), head(0, size)).toThrow('made of others')
    const watch = final()
    watch.saw(watch.before(), head(size, size))
    expect(watch.isComplete).toBe(true)
    seeing(watch, head(undefined, size)).toThrow(Violation)
  })

  it('is told with the length of its parts, and with their names as they were sent', () => {
    seeing(final(), head(undefined, size + 1)).toThrow('length is told as 1001')
    seeing(final(), head(undefined, size, 'final;/files/2 /files/1')).toThrow('Upload-Concat')
  })
})
