import { expect, it } from 'vitest'
import { isId, newId } from '../../../src/ids.ts'
import { createOrderedIds } from '../../../src/posts/ordered-ids.ts'

it('ids are in the order in which they were taken, also many in one millisecond', () => {
  const next = createOrderedIds()
  const ids = Array.from({ length: 20_000 }, next)
  expect(ids).toEqual([...new Set(ids)].toSorted())
  // Of version 7 and its variant, and of now.
  for (const id of ids) expect(id).toMatch(/^.{8}-.{4}-7.{3}-[89ab].{3}-/)
  expect(ids.every(isId)).toBe(true)
  expect(ids.at(-1)?.slice(0, 8)).toBe(newId().slice(0, 8))
})
