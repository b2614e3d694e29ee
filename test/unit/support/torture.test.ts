/** The torture is believed when it says that all is well, so what it looks at is tested. */
import { describe, expect, it } from 'vitest'
import { noise } from '../../../scripts/torture/contents.ts'
import { readOptions } from '../../../scripts/torture/options.ts'
import { type Answer, Violation, Watch } from '../../../scripts/torture/watch.ts'

const size = 1_000

function answer(method: string, status: number, offset?: number, length?: number): Answer {
  const headers = {
    ...(offset !== undefined && { 'upload-offset': `${offset}` }),
    ...(length !== undefined && { 'upload-length': `${length}` }),
  }
  return { method, status, headers, text: '' }
}

/** An upload of which all bytes were sent and half are acknowledged. */
function halfWay(isDeferred = false): Watch {
  const watch = new Watch('upload', noise(size, 'seed'), { isDeferred })
  watch.sending(0, size)
  watch.saw(watch.before(), answer('PATCH', 204, size / 2))
  return watch
}

const seeing = (watch: Watch, seen: Answer, before = watch.before()) =>
  expect(() => watch.saw(before, seen))

describe('a watched upload', () => {
  it('may not go back behind what was acknowledged', () => {
    seeing(halfWay(), answer('HEAD', 200, size / 2 - 1, size)).toThrow('went down from 500 to 499')
    seeing(halfWay(), answer('PATCH', 204, 0)).toThrow(Violation)
  })

  it('may tell an offset that was overtaken while the request was under way', () => {
    const watch = halfWay()
    const before = watch.before()
    watch.saw(watch.before(), answer('PATCH', 204, size - 1))
    seeing(watch, answer('HEAD', 200, size / 2, size), before).not.toThrow()
    expect(watch.acknowledged).toBe(size - 1)
    seeing(watch, answer('HEAD', 200, size / 2, size)).toThrow('went down')
  })

  it('may not have more bytes than were sent', () => {
    const watch = new Watch('upload', noise(size, 'seed'))
    watch.sending(0, 10)
    seeing(watch, answer('PATCH', 204, 11)).toThrow('only 10 bytes were sent')
  })

  it('may not be without an offset, or with one that is no number', () => {
    seeing(halfWay(), answer('HEAD', 200)).toThrow('without an offset')
    const odd = { ...answer('HEAD', 200), headers: { 'upload-offset': 'all' } }
    seeing(halfWay(), odd).toThrow(Violation)
  })

  it('may not have another length', () => {
    seeing(halfWay(), answer('HEAD', 200, size / 2, size + 1)).toThrow('length is told as 1001')
  })

  it.each([
    ['PATCH', 500],
    ['PATCH', 507],
    ['POST', 502],
    ['HEAD', 503],
    ['PATCH', 400],
    ['PATCH', 415],
    ['HEAD', 404],
    ['PATCH', 410],
  ])('may not be answered %s %i', (method, status) => {
    seeing(halfWay(), answer(method, status)).toThrow(Violation)
  })

  it.each([
    ['PATCH', 503],
    ['PATCH', 409],
    ['PATCH', 423],
    ['HEAD', 423],
  ])('may be answered %s %i, and that says nothing', (method, status) => {
    const watch = halfWay()
    expect(watch.saw(watch.before(), answer(method, status))).toBeUndefined()
    expect(watch.acknowledged).toBe(size / 2)
  })

  it('is gone once it is deleted, and does not come back', () => {
    const watch = halfWay()
    watch.deleting()
    watch.saw(watch.before(), answer('DELETE', 204))
    expect(watch.isDeleted).toBe(true)
    watch.saw(watch.before(), answer('HEAD', 404))
    seeing(watch, answer('HEAD', 200, size / 2, size)).toThrow('back after it was deleted')
  })

  it('may be gone although nobody heard that it was deleted', () => {
    const watch = halfWay()
    watch.deleting()
    watch.saw(watch.before(), answer('DELETE', 404))
    expect(watch.isDeleted).toBe(true)
  })

  it('is complete with all its bytes and a length', () => {
    const watch = halfWay(true)
    watch.completing()
    watch.saw(watch.before(), answer('PATCH', 204, size))
    expect(watch.isComplete).toBe(false)
    watch.saw(watch.before(), answer('HEAD', 200, size, size))
    expect(watch.isComplete).toBe(true)
  })
})

describe('the content of an upload', () => {
  const content = noise(200_000, 'seed')
  const read = (start: number, end: number) => Buffer.concat([...content.read(start, end)])
  const whole = read(0, content.size)

  it.each([
    [0, 1],
    [15, 17],
    [16, 65_536],
    [65_535, 200_000],
    [131_073, 131_073],
    [199_999, 200_000],
  ])('is the same wherever one begins to read (%i to %i)', (start, end) => {
    expect(read(start, end).equals(whole.subarray(start, end))).toBe(true)
  })

  it('is another one for another seed', () => {
    const other = Buffer.concat([...noise(content.size, 'other').read(0, content.size)])
    expect(other.equals(whole)).toBe(false)
  })
})

describe('the arguments of the torture', () => {
  it('are a minute on disk when there are none', () => {
    expect(readOptions([])).toMatchObject({
      goals: { seconds: 60, kills: 0, faults: 0 },
      storage: 'disk',
      database: 'sqlite',
      clients: 8,
      seed: expect.stringMatching(/./),
    })
  })

  it('may set several goals', () => {
    const { goals } = readOptions(['--kills', '300', '--faults', '2000'])
    expect(goals).toEqual({ seconds: 0, kills: 300, faults: 2_000 })
  })

  it.each([
    [['--seconds', '-1']],
    [['--kills', 'many']],
    [['--storage', 'tape']],
    [['--database', 'mysql']],
    [['--endpoint', 'here']],
    [['--what']],
    [['extra']],
  ])('are refused when they make no sense: %s', (args) => {
    expect(() => readOptions(args)).toThrow(Error)
  })
})
