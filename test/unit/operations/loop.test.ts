import { setImmediate } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { Loop } from '../../../src/operations/loop.ts'
import { waitFor } from '../../support/wait.ts'

const never = 2 ** 31 - 1

describe('a loop', () => {
  let loop: Loop
  afterEach(() => loop.stop())

  function create(everyMs: number, work: () => Promise<void>): { errors: unknown[] } {
    const errors: unknown[] = []
    loop = new Loop({ everyMs, work, onError: (error) => errors.push(error) })
    return { errors }
  }

  it('works at the start and again after each pause', async () => {
    let rounds = 0
    create(1, async () => void rounds++)
    expect(rounds).toBe(0)
    loop.start()
    await waitFor(() => rounds >= 3)
  })

  it('works when rung during the pause', async () => {
    let rounds = 0
    create(never, async () => void rounds++)
    loop.start()
    for (let round = 1; round <= 3; round++) {
      await waitFor(() => rounds === round)
      loop.ring()
    }
  })

  it('works once more when rung during a round, and never twice at a time', async () => {
    let rounds = 0
    let running = 0
    let most = 0
    const gate = Promise.withResolvers<void>()
    create(never, async () => {
      rounds++
      most = Math.max(most, ++running)
      await gate.promise
      running--
    })
    loop.start()
    for (let i = 0; i < 5; i++) loop.ring()
    gate.resolve()
    await waitFor(() => rounds === 2)
    await loop.stop()
    expect([rounds, most]).toEqual([2, 1])
  })

  it('tells what a round threw and goes on', async () => {
    let rounds = 0
    const { errors } = create(1, async () => {
      rounds++
      throw new Error(`round ${rounds}`)
    })
    loop.start()
    await waitFor(() => rounds >= 2)
    expect(errors[0]).toEqual(new Error('round 1'))
  })

  it('waits for the round under way when stopped, and begins no other', async () => {
    let rounds = 0
    let stopped = false
    const gate = Promise.withResolvers<void>()
    create(1, async () => {
      rounds++
      await gate.promise
    })
    loop.start()
    const stopping = loop.stop().then(() => {
      stopped = true
    })
    loop.ring()
    await setImmediate()
    expect(stopped).toBe(false)
    gate.resolve()
    await stopping
    loop.start()
    expect(rounds).toBe(1)
  })

  it('does not begin when it was stopped before', async () => {
    let rounds = 0
    create(1, async () => void rounds++)
    await loop.stop()
    loop.start()
    await loop.stop()
    expect(rounds).toBe(0)
  })
})
