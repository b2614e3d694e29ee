import { expect, it } from 'vitest'
import { Slots } from '../../../src/conversion/slots.ts'

const never = new AbortController().signal

it('places are given in the order they were asked for', async () => {
  const slots = new Slots(1)
  const order: string[] = []
  const giveBack = await slots.take(never)
  const visit = async (name: string) => {
    const leave = await slots.take(never)
    order.push(name)
    leave()
  }
  const visits = [visit('first'), visit('second')]
  expect(order).toEqual([])
  giveBack()
  await Promise.all(visits)
  expect(order).toEqual(['first', 'second'])
})

it('who stops waiting leaves the line and takes no place with them', async () => {
  const slots = new Slots(1)
  const giveBack = await slots.take(never)
  const controller = new AbortController()
  const impatient = slots.take(controller.signal)
  controller.abort(new Error('changed my mind'))
  await expect(impatient).rejects.toThrow('changed my mind')
  giveBack()
  const again = await slots.take(never)
  again()
})

it('an aborted signal takes no place', async () => {
  const slots = new Slots(1)
  await expect(slots.take(AbortSignal.abort(new Error('too late')))).rejects.toThrow('too late')
  const giveBack = await slots.take(never)
  giveBack()
})
