import { describe, expect, it } from 'vitest'
import { parseDictionary } from '../../../scripts/conformance/engine/dictionary.ts'
import * as matchers from '../../../scripts/conformance/engine/matchers.ts'
import type { Matcher } from '../../../scripts/conformance/engine/row.ts'

const values: Readonly<Record<string, string>> = {
  five: '5',
  moment: String(Date.now() / 1000 + 60),
}
const expand = (text: string) => text.replace(/\{(\w+)\}/g, (_, name: string) => values[name] ?? '')
const absent = undefined

const cases: readonly [
  Matcher,
  readonly (string | undefined)[],
  readonly (string | undefined)[],
][] = [
  [matchers.present, ['', 'x'], [absent]],
  [matchers.absent, [absent], ['', 'x']],
  [matchers.matches(/^a+$/, 'letters'), ['aa'], ['b', absent]],
  [matchers.not('{five}'), ['4', absent], ['5']],
  [matchers.optional('{five}'), ['5', absent], ['4']],
  [matchers.optional(matchers.wholeNumber), ['5', absent], ['x']],
  [matchers.lists('a', '{five}'), ['A, b,5'], ['a', 'a 5', absent]],
  [matchers.listsOrAny('a'), ['a', '*'], ['b', '*, b', absent]],
  [matchers.wholeNumber, ['0', '10'], ['-1', '1.0', '', absent]],
  [matchers.atLeast('{five}'), ['5', '6'], ['4', 'x', absent]],
  [matchers.atMost('{five}'), ['5', '4'], ['6', 'x', absent]],
  [
    matchers.httpDate,
    ['Sun, 06 Nov 1994 08:49:37 GMT'],
    [
      '1994-11-06T08:49:37Z',
      'Sunday, 06-Nov-94 08:49:37 GMT',
      'Mon, 06 Nov 1994 08:49:37 GMT',
      absent,
    ],
  ],
  [
    matchers.futureDate,
    [new Date(Date.now() + 60_000).toUTCString()],
    [new Date(Date.now() - 60_000).toUTCString(), 'soon', absent],
  ],
  [
    matchers.limits,
    ['max-size=5', 'min-size=0, x=1;y=z'],
    ['', 'max-size', 'max-size="5"', absent],
  ],
  [matchers.hasMember('a'), ['a=1', 'b=1,a=2'], ['b=1', absent]],
  [matchers.lacksMember('a'), ['b=1'], ['a=1', absent]],
  [matchers.memberAtLeast('a', '{five}'), ['a=5', 'a=6'], ['a=4', 'b=6', absent]],
  [matchers.memberIs('a', '{five}'), ['a=5'], ['a=6', 'b=5', absent]],
  [matchers.lifetimeUntil('a', '{moment}'), ['a=60', 'a=100'], ['a=10', 'b=60', absent]],
]

describe.each(cases)('what has to be $wanted', (matcher, right, wrong) => {
  it.each(right)('is %j', (value) => {
    expect(matcher.accepts(value, expand)).toBe(true)
  })
  it.each(wrong)('is not %j', (value) => {
    expect(matcher.accepts(value, expand)).toBe(false)
  })
})

it('a dictionary of limits is read with its parameters left out', () => {
  expect(parseDictionary('max-size=10;a=b, min-size=-1')).toEqual(
    new Map([
      ['max-size', 10],
      ['min-size', -1],
    ]),
  )
})
