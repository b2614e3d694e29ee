/** tus 1.0.0, "Concatenation": partial uploads, and finals of those that are complete. */
import { absent, lists } from '../engine/matchers.ts'
import { convention, must, type Row, should } from '../engine/row.ts'
import { refusalRows } from './tus-concatenation-refusals.ts'
import {
  complete,
  final,
  large,
  partial,
  partialOf,
  twoPartials,
} from './tus-concatenation-steps.ts'
import { unfinishedRows } from './tus-concatenation-unfinished.ts'
import {
  begun,
  created,
  head,
  headUntil,
  holds,
  options,
  patch,
  pattern,
  post,
  remove,
  stands,
  text,
  tusTable,
} from './tus-steps.ts'

const partialRows: Row[] = [
  {
    id: 'advertised',
    from: must('Concatenation'),
    says: 'OPTIONS lists the extension.',
    steps: [options({ headers: { 'Tus-Extension': lists('concatenation') } })],
  },
  {
    id: 'partial',
    from: must('Concatenation'),
    says: 'A partial upload is created and filled like any other.',
    steps: [partial('a', 5), patch('a', 0, text('hello')), stands('a', 5)],
  },
  {
    id: 'partial-offset',
    from: must('Concatenation'),
    says: 'HEAD of a partial upload tells its offset.',
    steps: [partial('a', 5), patch('a', 0, text('he')), stands('a', 2)],
  },
  {
    id: 'partial-length',
    from: must('Concatenation'),
    says: 'HEAD of a partial upload tells its length.',
    steps: [partial('a', 5), head('a', { headers: { 'Upload-Length': '5' } })],
  },
  {
    id: 'partial-concat',
    from: must('Concatenation'),
    says: 'HEAD of a partial upload says that it is one.',
    steps: [partial('a', 5), head('a', { headers: { 'Upload-Concat': 'partial' } })],
  },
  {
    id: 'not-partial',
    from: convention('Concatenation'),
    says: 'HEAD of any other upload says nothing about concatenation.',
    steps: [begun('a', 5), head('a', { headers: { 'Upload-Concat': absent } })],
  },
]

const finalRows: Row[] = [
  {
    id: 'final',
    from: must('Concatenation'),
    says: 'A final upload holds its partials, one after the other.',
    steps: [...twoPartials(), final('{a.path} {b.path}'), holds('final', 'hello world')],
  },
  {
    id: 'final-location',
    from: must('Creation/POST'),
    says: 'The creation of a final upload is answered 201 with its URL.',
    steps: [...twoPartials(), final('{a.path} {b.path}'), head('final', { status: [200, 204] })],
  },
  {
    id: 'final-length',
    from: must('Concatenation'),
    says: 'The length of a final upload is the sum of its partials’, and in the end its offset.',
    steps: [...twoPartials(), final('{a.path} {b.path}'), complete('final', 11)],
  },
  {
    id: 'final-order',
    from: must('Concatenation'),
    says: 'The order is the one of the list, not the one of creation.',
    steps: [...twoPartials(), final('{b.path} {a.path}'), holds('final', ' worldhello')],
  },
  {
    id: 'final-concat',
    from: must('Concatenation'),
    says: 'HEAD of a final upload tells the list as it came.',
    steps: [
      ...twoPartials(),
      final('{a.path} {b.path}'),
      head('final', { headers: { 'Upload-Concat': 'final;{a.path} {b.path}' } }),
    ],
  },
  {
    id: 'final-absolute',
    from: must('Concatenation/Upload-Concat'),
    says: 'The list may have absolute URLs; HEAD tells them as they came.',
    steps: [
      ...twoPartials(),
      final('{a} {b}'),
      head('final', { headers: { 'Upload-Concat': 'final;{a} {b}' } }),
      holds('final', 'hello world'),
    ],
  },
  {
    id: 'final-location-as-given',
    from: must('Concatenation/Upload-Concat'),
    says: 'The list may have the URLs as Location told them.',
    steps: [...twoPartials(), final('{a.location} {b.location}'), holds('final', 'hello world')],
  },
  {
    id: 'final-one',
    from: must('Concatenation'),
    says: 'A final upload may be made of a single partial.',
    steps: [...partialOf('a', 'hello'), final('{a.path}'), holds('final', 'hello')],
  },
  {
    id: 'final-twice',
    from: must('Concatenation'),
    says: 'A partial upload may be in the list twice.',
    steps: [
      ...twoPartials(),
      final('{a.path} {b.path} {a.path}'),
      complete('final', 16),
      holds('final', 'hello worldhello'),
    ],
  },
  {
    id: 'final-empty-partial',
    from: must('Concatenation'),
    says: 'A partial upload may be empty.',
    steps: [
      ...twoPartials(),
      partial('empty', 0),
      final('{a.path} {empty.path} {b.path}'),
      holds('final', 'hello world'),
    ],
  },
  {
    id: 'final-large',
    from: must('Concatenation'),
    says: 'Partials of several megabytes, big and small, are joined as they were sent.',
    steps: [
      ...large('a', 6_000_000, 1),
      ...large('b', 1_000_003, 2),
      ...large('c', 5_500_000, 3),
      final('{a.path} {b.path} {c.path}'),
      complete('final', 12_500_003),
      holds(
        'final',
        Buffer.concat([pattern(6_000_000, 1), pattern(1_000_003, 2), pattern(5_500_000, 3)]),
      ),
    ],
  },
  {
    id: 'metadata-not-inherited',
    from: must('Concatenation'),
    says: 'The metadata of the partials does not become the final’s.',
    steps: [
      ...partialOf('a', 'hello', { 'Upload-Metadata': 'filename YQ==' }),
      final('{a.path}'),
      head('final', { headers: { 'Upload-Metadata': absent } }),
    ],
  },
  {
    id: 'metadata-own',
    from: must('Creation/POST'),
    says: 'HEAD of a final upload tells the metadata of its own creation.',
    steps: [
      ...partialOf('a', 'hello'),
      final('{a.path}', created, { 'Upload-Metadata': 'filename Yg==' }),
      head('final', { headers: { 'Upload-Metadata': 'filename Yg==' } }),
    ],
  },
  {
    id: 'patch-final',
    from: must('Concatenation'),
    says: 'PATCH of a final upload is answered 403.',
    steps: [
      ...twoPartials(),
      final('{a.path} {b.path}'),
      patch('final', 11, text('x'), { status: 403 }),
    ],
  },
  {
    id: 'patch-final-modifies-nothing',
    from: must('Concatenation'),
    says: 'PATCH of a final upload modifies nothing.',
    steps: [
      ...twoPartials(),
      final('{a.path} {b.path}'),
      patch('final', 11, text('x'), { status: '4xx' }),
      complete('final', 11),
      holds('final', 'hello world'),
    ],
  },
  {
    id: 'asked-again',
    from: convention('Concatenation'),
    says: 'A client that did not hear the answer may ask for the same final upload again.',
    steps: [
      ...twoPartials(),
      final('{a.path} {b.path}'),
      post('again', { 'Upload-Concat': 'final;{a.path} {b.path}' }, created),
      complete('again', 11),
      holds('again', 'hello world'),
    ],
  },
  {
    id: 'partial-after',
    from: convention('Concatenation'),
    says: 'After concatenation a partial upload is still complete, or gone.',
    steps: [
      ...twoPartials(),
      final('{a.path} {b.path}'),
      holds('final', 'hello world'),
      head('a', { status: [200, 204, 404, 410] }),
    ],
  },
  {
    id: 'terminated',
    from: must('Termination/DELETE'),
    says: 'A final upload can be removed.',
    needs: ['termination'],
    steps: [
      ...twoPartials(),
      final('{a.path} {b.path}'),
      holds('final', 'hello world'),
      remove('final', { status: 204 }),
      headUntil('final', { status: [404, 410] }),
    ],
  },
]

export const tusConcatenation = tusTable(
  'tus-concatenation',
  ['creation', 'concatenation'],
  [...partialRows, ...finalRows, ...refusalRows, ...unfinishedRows],
  [
    {
      from: should('Concatenation'),
      says: 'Partial uploads are not processed until they are concatenated.',
      unobservable: 'what a server does with content is not part of the protocol',
    },
  ],
)
