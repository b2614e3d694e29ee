import { expect, it } from 'vitest'
import { isId, newId } from '../../../src/ids.ts'
import { createOrderedIds } from '../../../src/posts/ordered-ids.ts'

it('ids are in the order in which they were taken, also many in one millisecond', () => {
  const next = createOrderedIds()
  const ids = Array.from({ length: 20_000 }, next)
  const early = ids.filter((id, at) => id <= (ids[at - 1] ?? ''))
  expect(early.length).toBe(0)
  // Of version 7 and its variant, and of now.
  expect(ids.every((id) => isId(id) && /^.{8}-.{4}-7.{3}-[89ab]/.test(id))).toBe(true)
  expect(ids.at(-1)?.slice(0, 8)).toBe(newId().slice(0, 8))
})
