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
})
