import { describe, expect, it } from 'vitest'
import { Turns } from '../../../src/images/turns.ts'

const { signal: never } = new AbortController()

/** Work that ends when it is told to. */
function held() {
  const began = Promise.withResolvers<void>()
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const work = () => {
    began.resolve()
    return promise
  }
  return { work, began: began.promise, end: () => resolve('done'), fail: reject }
}

describe('turns', () => {
  it('are taken one after the other by those of one name, and at once by those of others', async () => {
    const turns = new Turns()
    const [first, second, other] = [held(), held(), held()]
    let isSecondAtWork = false
    const firstRun = turns.run('a', never, first.work)
    const secondRun = turns.run('a', never, () => {
      isSecondAtWork = true
      return second.work()
    })
    const otherRun = turns.run('b', never, other.work)
    await other.began
    expect(isSecondAtWork).toBe(false)
    first.end()
    await second.began
    second.end()
    other.end()
    expect(await Promise.all([firstRun, secondRun, otherRun])).toEqual(['done', 'done', 'done'])
  })

  it('come also after work that failed', async () => {
    const turns = new Turns()
    const first = held()
    const run = turns.run('a', never, first.work)
    const next = turns.run('a', never, async () => 'next')
    first.fail(new Error('no'))
    await expect(run).rejects.toThrow('no')
    expect(await next).toBe('next')
  })

  it('are not waited for when the signal is aborted, nor longer than is bearable', async () => {
    const turns = new Turns(1)
    const first = held()
    const run = turns.run('a', never, first.work)
    const gone = AbortSignal.abort(new Error('gone'))
    await expect(turns.run('a', gone, async () => 'never')).rejects.toThrow('gone')
    expect(await turns.run('a', never, async () => 'after all')).toBe('after all')
    first.end()
    expect(await run).toBe('done')
  })
})
