import { describe, expect, it } from 'vitest'
import { createHealth } from '../../../src/operations/health.ts'

const fine = async () => {}
const never = () => new Promise<never>(() => {})

describe('the health of the program', () => {
  const troubles: string[] = []
  const report = (parts: Parameters<typeof createHealth>[0], load: () => Promise<number>) => {
    troubles.length = 0
    return createHealth(parts, load, (part) => troubles.push(part)).report()
  }

  it('is good when all parts answer, and says what there is to do', async () => {
    expect(await report({ database: fine, storage: fine }, async () => 7)).toEqual({
      ready: true,
      checks: { database: 'ok', storage: 'ok' },
      load: 7,
    })
    expect(troubles).toEqual([])
  })

  it('is not good when a part does not answer, for a reason that only the log hears', async () => {
    const broken = () => Promise.reject(new Error('secret'))
    expect(await report({ database: broken, storage: fine }, async () => 7)).toEqual({
      ready: false,
      checks: { database: 'unavailable', storage: 'ok' },
      load: 7,
    })
    expect(troubles).toEqual(['database'])
  })

  it('does not depend on whether it can be told what there is to do', async () => {
    const broken = () => Promise.reject(new Error('secret'))
    const told = await report({ database: fine }, broken)
    expect(told).toEqual({ ready: true, checks: { database: 'ok' }, load: undefined })
    expect(troubles).toEqual(['queue'])
  })

  it('waits for nothing longer than a while', async () => {
    const parts = { database: fine, storage: never }
    expect(await createHealth(parts, never, () => {}, 10).report()).toEqual({
      ready: false,
      checks: { database: 'ok', storage: 'no answer in time' },
      load: undefined,
    })
  })

  it('asks once at a time what there is to do, however many want to know', async () => {
    let asked = 0
    const answer = Promise.withResolvers<number>()
    const readLoad = () => {
      asked += 1
      return answer.promise
    }
    const health = createHealth({ database: fine }, readLoad, () => {})
    const reports = [health.report(), health.report(), health.report()]
    answer.resolve(7)
    expect((await Promise.all(reports)).map(({ load }) => load)).toEqual([7, 7, 7])
    expect(asked).toBe(1)
    await health.report()
    expect(asked).toBe(2)
  })

  it('asks again what there is to do after that went wrong', async () => {
    let asked = 0
    const readLoad = async () => {
      asked += 1
      if (asked === 1) throw new Error('away')
      return 7
    }
    const health = createHealth({}, readLoad, () => {})
    expect(await health.report()).toMatchObject({ load: undefined })
    expect(await health.report()).toMatchObject({ load: 7 })
  })
})
