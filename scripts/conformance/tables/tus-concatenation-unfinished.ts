/** tus 1.0.0, "Concatenation": finals of partials that are still in progress. */
import { absent, lists } from '../engine/matchers.ts'
import { convention, must, type Row, should } from '../engine/row.ts'
import { complete, final, partial, partialOf } from './tus-concatenation-steps.ts'
import { created, head, holds, options, patch, post, stands, text } from './tus-steps.ts'

const begunTwo = () => [...partialOf('a', 'hello'), partial('b', 6)]
const needs = ['concatenation-unfinished']
const deferred = { 'Upload-Concat': 'partial', 'Upload-Defer-Length': '1' }

export const unfinishedRows: readonly Row[] = [
  {
    id: 'unfinished-advertised',
    from: must('Concatenation'),
    says: 'OPTIONS lists concatenation-unfinished.',
    needs,
    steps: [options({ headers: { 'Tus-Extension': lists('concatenation-unfinished') } })],
  },
  {
    id: 'unfinished-not-advertised',
    from: must('Concatenation'),
    says: 'A server that does not list concatenation-unfinished refuses unfinished partials.',
    lacks: needs,
    steps: [
      ...begunTwo(),
      final('{a.path} {b.path}', { status: '4xx', headers: { Location: absent } }),
    ],
  },
  {
    id: 'unfinished-created',
    from: must('Concatenation'),
    says: 'A final upload may be created while its partials are in progress.',
    needs,
    steps: [...begunTwo(), final('{a.path} {b.path}')],
  },
  {
    id: 'unfinished-no-offset',
    from: should('Concatenation'),
    says: 'HEAD of a final upload tells no offset before it is finished.',
    needs,
    steps: [
      ...begunTwo(),
      final('{a.path} {b.path}'),
      head('final', { status: [200, 204], headers: { 'Upload-Offset': absent } }),
    ],
  },
  {
    id: 'unfinished-length',
    from: must('Concatenation'),
    says: 'HEAD of a final upload tells its length before it is finished, when it can be calculated.',
    needs,
    steps: [
      ...begunTwo(),
      final('{a.path} {b.path}'),
      head('final', {
        headers: { 'Upload-Length': '11', 'Upload-Concat': 'final;{a.path} {b.path}' },
      }),
    ],
  },
  {
    id: 'unfinished-finished',
    from: must('Concatenation'),
    says: 'A final upload is finished when the last of its partials is.',
    needs,
    steps: [
      ...begunTwo(),
      final('{b.path} {a.path}'),
      patch('b', 0, text(' wo')),
      head('final', { headers: { 'Upload-Offset': absent } }),
      patch('b', 3, text('rld')),
      complete('final', 11),
      holds('final', ' worldhello'),
    ],
  },
  {
    id: 'unfinished-deferred',
    from: convention('Concatenation'),
    says: 'A partial whose length comes later can be in a list; the length is told once it is known.',
    needs: [...needs, 'creation-defer-length'],
    steps: [
      ...partialOf('a', 'hello'),
      post('b', deferred, created),
      final('{a.path} {b.path}'),
      head('final', { status: [200, 204], headers: { 'Upload-Length': absent } }),
      patch('b', 0, text(' world'), { status: 204 }, { 'Upload-Length': '6' }),
      complete('final', 11),
      holds('final', 'hello world'),
    ],
  },
  {
    id: 'unfinished-patch',
    from: must('Concatenation'),
    says: 'PATCH of a final upload that is not finished is answered 403 and modifies nothing.',
    needs,
    steps: [
      ...begunTwo(),
      final('{a.path} {b.path}'),
      patch('final', 0, text('x'), { status: 403 }),
      stands('a', 5),
      stands('b', 0),
      patch('b', 0, text(' world')),
      holds('final', 'hello world'),
    ],
  },
  {
    id: 'unfinished-too-long',
    from: must('Creation/POST'),
    says: 'A final upload that will be longer than the maximum is answered 413.',
    needs: [...needs, 'max-size'],
    steps: [
      post('a', { 'Upload-Concat': 'partial', 'Upload-Length': '{max-size}' }, created),
      partial('b', 1),
      final('{a.path} {b.path}', { status: 413, headers: { Location: absent } }),
    ],
  },
]
