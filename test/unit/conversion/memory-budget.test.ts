import { expect, it } from 'vitest'
import { MemoryBudget } from '../../../src/conversion/memory-budget.ts'

const never = new AbortController().signal

/** Takes bytes and tells in `log` when it got them. */
function taking(budget: MemoryBudget, log: string[], name: string, bytes: number, signal = never) {
  return budget.take(bytes, signal).then((giveBack) => {
    log.push(name)
    return giveBack
  })
}

/** Everything that can happen without waiting has happened. */
const settled = () => new Promise((resolve) => setImmediate(resolve))

it('bytes are given as long as there are some', async () => {
  const [budget, log]: [MemoryBudget, string[]] = [new MemoryBudget(100), []]
  const giveBack = await taking(budget, log, 'first', 60)
  await taking(budget, log, 'second', 40)
  const third = taking(budget, log, 'third', 60)
  await settled()
  expect(log).toEqual(['first', 'second'])
  giveBack()
  await third
  expect(log).toEqual(['first', 'second', 'third'])
})

it('a large request is not overtaken by small ones that came later', async () => {
  const [budget, log]: [MemoryBudget, string[]] = [new MemoryBudget(100), []]
  const giveBack = await taking(budget, log, 'first', 50)
  const large = taking(budget, log, 'large', 100)
  const small = taking(budget, log, 'small', 10)
  await settled()
  expect(log).toEqual(['first'])
  giveBack()
  const giveBackLarge = await large
  await settled()
  expect(log).toEqual(['first', 'large'])
  giveBackLarge()
  await small
})

it('who stops waiting lets those behind pass, and takes nothing with them', async () => {
  const [budget, log]: [MemoryBudget, string[]] = [new MemoryBudget(100), []]
  await taking(budget, log, 'first', 50)
  const controller = new AbortController()
  const large = taking(budget, log, 'large', 100, controller.signal)
  const small = taking(budget, log, 'small', 50)
  controller.abort(new Error('changed my mind'))
  await expect(large).rejects.toThrow('changed my mind')
  await small
  expect(log).toEqual(['first', 'small'])
  await expect(budget.take(1, AbortSignal.abort(new Error('late')))).rejects.toThrow('late')
})

it('giving back twice frees no more than was taken', async () => {
  const [budget, log]: [MemoryBudget, string[]] = [new MemoryBudget(100), []]
  const giveBack = await taking(budget, log, 'first', 50)
  await taking(budget, log, 'second', 50)
  giveBack()
  giveBack()
  await taking(budget, log, 'third', 50)
  void taking(budget, log, 'fourth', 50)
  await settled()
  expect(log).toEqual(['first', 'second', 'third'])
})
