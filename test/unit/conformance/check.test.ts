import { describe, expect, it } from 'vitest'
import { check } from '../../../scripts/conformance/engine/check.ts'
import { absent } from '../../../scripts/conformance/engine/matchers.ts'
import type { Expected } from '../../../scripts/conformance/engine/row.ts'
import type { Headers, Interim, Outcome } from '../../../scripts/conformance/engine/wire.ts'

const expand = (text: string) => text.replace('{five}', '5')

function answer(
  status: number,
  headers: Headers = {},
  interim: readonly Interim[] = [],
  body = '',
): Outcome {
  return { kind: 'answer', answer: { status, headers, body: Buffer.from(body) }, interim }
}

const resumption = (headers: Headers) => ({ status: 104, headers })
const problem = (body: string) =>
  answer(409, { 'content-type': 'application/problem+json' }, [], body)

const closed: Outcome = { kind: 'closed', interim: [] }
const silent: Outcome = { kind: 'silent', interim: [] }
const first = resumption({ location: '/a' })
const late = resumption({ location: '/b', 'upload-offset': '3' })
const later = resumption({ 'upload-offset': '2' })

const cases: readonly {
  readonly what: string
  readonly expected: Expected
  readonly right: Outcome
  readonly wrong: readonly Outcome[]
}[] = [
  {
    what: 'a status',
    expected: { status: 204 },
    right: answer(204),
    wrong: [answer(200), closed, silent],
  },
  {
    what: 'a class of statuses',
    expected: { status: '2xx' },
    right: answer(207),
    wrong: [answer(307)],
  },
  {
    what: 'one of statuses',
    expected: { status: [409, '5xx'] },
    right: answer(503),
    wrong: [answer(400)],
  },
  {
    what: 'no answer',
    expected: { status: '4xx', orClosed: true },
    right: closed,
    wrong: [silent, answer(200)],
  },
  {
    what: 'a header',
    expected: { headers: { 'Upload-Offset': '{five}' } },
    right: answer(200, { 'upload-offset': '5' }),
    wrong: [answer(200), answer(200, { 'upload-offset': '6' })],
  },
  {
    what: 'no header',
    expected: { headers: { Location: absent } },
    right: answer(200),
    wrong: [answer(200, { location: '/a' })],
  },
  {
    what: 'some interim answer',
    expected: { interim: [{ status: 104, which: 'some', headers: { Location: '/a' } }] },
    right: answer(200, {}, [later, first]),
    wrong: [answer(200), answer(200, {}, [late]), answer(200, {}, [late, later])],
  },
  {
    what: 'no interim answer',
    expected: { interim: [{ status: 104, which: 'none' }] },
    right: answer(200, {}, [{ status: 100, headers: {} }]),
    wrong: [answer(200, {}, [first])],
  },
  {
    what: 'a first interim answer',
    expected: { interim: [{ status: 104, which: 'first', headers: { Location: '/a' } }] },
    right: answer(200, {}, [first, later]),
    wrong: [answer(200, {}, [later, first])],
  },
  {
    what: 'later interim answers',
    expected: { interim: [{ status: 104, which: 'later', headers: { Location: absent } }] },
    right: answer(200, {}, [first, later]),
    wrong: [answer(200, {}, [first, late])],
  },
  {
    what: 'every interim answer',
    expected: { interim: [{ status: 104, which: 'every', headers: { Location: absent } }] },
    right: answer(200, {}, [later]),
    wrong: [answer(200, {}, [later, late])],
  },
  {
    what: 'progress that never goes down',
    expected: { steadyProgress: true },
    right: answer(200, {}, [later, late]),
    wrong: [answer(200, {}, [late, later])],
  },
  {
    what: 'the same Location everywhere',
    expected: { sameLocation: true },
    right: answer(201, { location: '/a' }, [first, later]),
    wrong: [answer(201, { location: '/a' }, [late]), answer(201, {}, [first])],
  },
  {
    what: 'a problem',
    expected: { problem: { type: 'about:{five}', 'expected-offset': 5 } },
    right: problem('{"type":"about:5","expected-offset":5}'),
    wrong: [
      problem('{"type":"about:6","expected-offset":5}'),
      problem('{"type":"about:5","expected-offset":"5"}'),
      problem('no JSON'),
      problem('null'),
      answer(409, { 'content-type': 'text/plain' }, [], '{"type":"about:5","expected-offset":5}'),
    ],
  },
]

describe.each(cases)('where $what is expected', ({ expected, right, wrong }) => {
  it('what is as expected passes', () => {
    expect(check(right, expected, expand)).toEqual([])
  })
  it.each(wrong)('what is not, does not: %j', (outcome) => {
    expect(check(outcome, expected, expand)).not.toEqual([])
  })
})

it('a mismatch says what was wanted and what was seen', () => {
  const outcome = answer(500, { 'upload-offset': '6' })
  const expected: Expected = { status: [200, '2xx'], headers: { 'Upload-Offset': '{five}' } }
  expect(check(outcome, expected, expand)).toEqual([
    { what: 'status', wanted: '200 or 2xx', seen: '500' },
    { what: 'Upload-Offset', wanted: '5', seen: '6' },
  ])
})
