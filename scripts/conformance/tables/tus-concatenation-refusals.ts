/** tus 1.0.0, "Concatenation": finals that cannot be made. */
import { absent } from '../engine/matchers.ts'
import { convention, type Expected, type Row } from '../engine/row.ts'
import { complete, final, partialOf, twoPartials } from './tus-concatenation-steps.ts'
import { bytesType, each, holds, post, text, whole } from './tus-steps.ts'

const refused: Expected = { status: 400, headers: { Location: absent } }
const bad = (id: string, says: string, steps: Row['steps']): Row => ({
  id: `refused ${id}`,
  from: convention('Concatenation'),
  says,
  steps,
})

export const refusalRows: readonly Row[] = [
  bad('length', 'A final upload with a length of its own is answered 400.', [
    ...twoPartials(),
    final('{a.path} {b.path}', refused, { 'Upload-Length': '11' }),
  ]),
  bad('deferred', 'A final upload whose length comes later is answered 400.', [
    ...twoPartials(),
    final('{a.path} {b.path}', refused, { 'Upload-Defer-Length': '1' }),
  ]),
  bad('bytes', 'A final upload with bytes of its own is answered 400.', [
    ...twoPartials(),
    final('{a.path} {b.path}', refused, bytesType, text('more')),
  ]),
  bad('unknown', 'A list with an upload that is not there is answered 400.', [
    ...partialOf('a', 'hello'),
    final('{a.path} {a.path}x', refused),
  ]),
  bad('not-partial', 'A list with an upload that is not partial is answered 400.', [
    ...partialOf('a', 'hello'),
    ...whole('b', ' world'),
    final('{a.path} {b.path}', refused),
  ]),
  bad('final', 'A list with a final upload is answered 400.', [
    ...twoPartials(),
    final('{a.path} {b.path}'),
    complete('final', 11),
    post('other', { 'Upload-Concat': 'final;{final.path}' }, refused),
  ]),
  bad('origin', 'A list with an upload of another server is answered 400.', [
    ...twoPartials(),
    final('{a.path} http://files.example{b.path}', refused),
  ]),
  bad('then-right', 'A list that was refused leaves its partials as they were.', [
    ...twoPartials(),
    final('{a.path} {b.path}x', { status: '4xx', headers: { Location: absent } }),
    final('{a.path} {b.path}'),
    holds('final', 'hello world'),
  ]),
  ...each(['final', 'final;', 'final; ', 'none', 'final;nonsense'], (value) =>
    bad(
      `value ${value}${value.endsWith(' ') ? 'space' : ''}`,
      `An Upload-Concat of "${value}" is answered 400.`,
      [post('a', { 'Upload-Concat': value }, refused)],
    ),
  ),
  bad('value with length', 'An unknown Upload-Concat is refused though there is a length.', [
    post('a', { 'Upload-Concat': 'none', 'Upload-Length': '5' }, refused),
  ]),
]
