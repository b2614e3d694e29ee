/** tus 1.0.0, "Creation": lengths that come later. */
import { absent, lists } from '../engine/matchers.ts'
import { convention, must, type Row, should } from '../engine/row.ts'
import {
  begun,
  created,
  each,
  head,
  holds,
  options,
  patch,
  pattern,
  post,
  stands,
  text,
  tusTable,
} from './tus-steps.ts'

const deferred = post('a', { 'Upload-Defer-Length': '1' }, created)
const unknown = { 'Upload-Defer-Length': '1', 'Upload-Length': absent }
const known = (length: number) => ({
  'Upload-Length': String(length),
  'Upload-Defer-Length': absent,
})
const told = (length: number | string) => ({ 'Upload-Length': String(length) })
const done = { status: 204 } as const

const rows: Row[] = [
  {
    id: 'advertised',
    from: must('Creation/POST'),
    says: 'OPTIONS lists the extension.',
    steps: [options({ headers: { 'Tus-Extension': lists('creation-defer-length') } })],
  },
  {
    id: 'created',
    from: must('Creation/POST'),
    says: 'An upload may be created without its length.',
    steps: [deferred, stands('a', 0)],
  },
  {
    id: 'head',
    from: must('Creation/POST'),
    says: 'HEAD says that the length comes later, also when there are bytes.',
    steps: [
      deferred,
      head('a', { headers: unknown }),
      patch('a', 0, text('hello')),
      head('a', { headers: { ...unknown, 'Upload-Offset': '5' } }),
    ],
  },
  {
    id: 'not-deferred',
    from: must('Creation/Upload-Defer-Length'),
    says: 'HEAD of an upload whose length is known does not say that it comes later.',
    steps: [begun('a', 10), head('a', { headers: known(10) })],
  },
  {
    id: 'told',
    from: must('Creation/POST'),
    says: 'A PATCH may tell the length; from then on it is known.',
    steps: [
      deferred,
      patch('a', 0, text('hello'), done, told(11)),
      head('a', { headers: known(11) }),
      patch('a', 5, text(' world')),
      holds('a', 'hello world'),
    ],
  },
  {
    id: 'told-at-end',
    from: must('Creation/POST'),
    says: 'The length may come with the last bytes.',
    steps: [
      deferred,
      patch('a', 0, text('hello')),
      patch('a', 5, text(' world'), done, told(11)),
      head('a', { headers: { ...known(11), 'Upload-Offset': '11' } }),
      holds('a', 'hello world'),
    ],
  },
  {
    id: 'told-after-bytes',
    from: must('Creation/POST'),
    says: 'The length may come after all bytes, with an empty PATCH.',
    steps: [
      deferred,
      patch('a', 0, text('hello')),
      patch('a', 5, text(''), done, told(5)),
      head('a', { headers: { ...known(5), 'Upload-Offset': '5' } }),
      holds('a', 'hello'),
    ],
  },
  {
    id: 'large',
    from: must('Creation/POST'),
    says: 'An upload of several megabytes arrives whole though its length came last.',
    steps: [
      deferred,
      patch('a', 0, pattern(6_000_000).subarray(0, 5_242_880)),
      patch('a', 5_242_880, pattern(6_000_000).subarray(5_242_880), done, told(6_000_000)),
      holds('a', pattern(6_000_000)),
    ],
  },
  {
    id: 'never-changes',
    from: must('Creation/POST'),
    says: 'A length that was told later is not changed by another.',
    steps: [
      deferred,
      patch('a', 0, text('hello'), done, told(11)),
      patch('a', 5, text('x'), { status: '4xx' }, told(12)),
      head('a', { headers: { ...known(11), 'Upload-Offset': '5' } }),
    ],
  },
  {
    id: 'first-never-changes',
    from: must('Creation/POST'),
    says: 'A length that was told at creation is not changed by a PATCH.',
    steps: [
      begun('a', 10),
      patch('a', 0, text('x'), {}, told(12)),
      head('a', { headers: known(10) }),
    ],
  },
  {
    id: 'told-again',
    from: convention('Creation/POST'),
    says: 'A client that did not hear whether its length arrived may tell it again.',
    steps: [
      deferred,
      patch('a', 0, text('hello'), done, told(10)),
      patch('a', 5, text('world'), done, told(10)),
      holds('a', 'helloworld'),
    ],
  },
  ...each(['0', '2', 'true', '1.0', ''], (value) => ({
    id: `bad-value ${value || 'empty'}`,
    from: should('Creation/POST'),
    says: `An Upload-Defer-Length of "${value}" is answered 400.`,
    steps: [
      post('a', { 'Upload-Defer-Length': value }, { status: 400, headers: { Location: absent } }),
    ],
  })),
  {
    id: 'both',
    from: convention('Creation/POST'),
    says: 'A creation that tells a length and says that it comes later is answered 400.',
    steps: [
      post(
        'a',
        { 'Upload-Length': '10', 'Upload-Defer-Length': '1' },
        { status: 400, headers: { Location: absent } },
      ),
    ],
  },
  ...each(['-1', '1e1', 'ten'], (value) => ({
    id: `bad-length ${value}`,
    from: convention('Core/Upload-Length'),
    says: `A PATCH that tells a length of "${value}" is answered 400.`,
    steps: [deferred, patch('a', 0, text('hello'), { status: 400 }, told(value)), stands('a', 0)],
  })),
  {
    id: 'below-offset',
    from: convention('Creation/POST'),
    says: 'A length below what is there already is refused, and changes nothing.',
    steps: [
      deferred,
      patch('a', 0, text('hello')),
      patch('a', 5, text(''), { status: '4xx' }, told(3)),
      head('a', { headers: { ...unknown, 'Upload-Offset': '5' } }),
    ],
  },
  {
    id: 'too-long',
    from: convention('Creation/POST'),
    says: 'A length above the maximum is answered 413, also when it comes later.',
    needs: ['max-size'],
    steps: [deferred, patch('a', 0, text('hello'), { status: 413 }, told('{max-size+1}'))],
  },
  {
    id: 'too-many-bytes',
    from: convention('Creation/POST'),
    says: 'An upload without a length does not grow above the maximum.',
    needs: ['max-size', 'small-maximum'],
    steps: [
      deferred,
      patch('a', 0, pattern(33 * 1024 * 1024), { status: 413 }),
      head('a', { status: '2xx', headers: unknown }),
    ],
  },
]

export const tusCreationDeferLength = tusTable(
  'tus-creation-defer-length',
  ['creation', 'creation-defer-length'],
  rows,
)
