/** tus 1.0.0, "Core Protocol": HEAD, and what is the same for all requests. */
import { absent, matches, present, wholeNumber } from '../engine/matchers.ts'
import { convention, must, type Row, should } from '../engine/row.ts'
import { begun, created, filled, head, post, send, stands, version, whole } from './tus-steps.ts'

export const headRows: Row[] = [
  {
    id: 'head-offset-zero',
    from: must('Core/HEAD'),
    says: 'HEAD tells the offset of an upload that holds nothing yet.',
    steps: [begun('a', 10), stands('a', 0)],
  },
  {
    id: 'head-offset-partial',
    from: must('Core/HEAD'),
    says: 'HEAD tells the offset of an upload that holds some of its bytes.',
    steps: [...filled('a', 10, 'hello'), stands('a', 5)],
  },
  {
    id: 'head-offset-complete',
    from: must('Core/HEAD'),
    says: 'HEAD tells the offset of an upload that is complete.',
    steps: [...whole('a', 'hello'), stands('a', 5)],
  },
  {
    id: 'head-length',
    from: must('Core/HEAD'),
    says: 'HEAD tells the length when it is known.',
    steps: [begun('a', 10), head('a', { headers: { 'Upload-Length': '10' } })],
  },
  {
    id: 'head-status',
    from: should('Core/HEAD'),
    says: 'HEAD is answered 200 or 204.',
    steps: [begun('a', 10), head('a', { status: [200, 204] })],
  },
  {
    id: 'head-no-store',
    from: must('Core/HEAD'),
    says: 'The answer to HEAD is not to be stored by caches.',
    steps: [
      begun('a', 10),
      head('a', { headers: { 'Cache-Control': matches(/\bno-store\b/, 'no-store') } }),
    ],
  },
  {
    id: 'head-unknown',
    from: should('Core/HEAD'),
    says: 'HEAD of an upload that is not there is 404, 410 or 403, without an offset.',
    steps: [
      begun('a', 10),
      send('HEAD', '{a}x', version, {
        status: [404, 410, 403],
        headers: { 'Upload-Offset': absent },
      }),
    ],
  },
  {
    id: 'offset-number',
    from: must('Core/Upload-Offset'),
    says: 'Offset and length in answers are whole numbers, not negative.',
    steps: [
      ...filled('a', 10, 'hello'),
      head('a', { headers: { 'Upload-Offset': wholeNumber, 'Upload-Length': wholeNumber } }),
    ],
  },
  {
    id: 'query',
    from: convention('Core'),
    says: 'An upload can be asked about under its URL with a query.',
    steps: [
      begun('a', 10),
      send('HEAD', '{a}?from=here', version, {
        status: [200, 204],
        headers: { 'Upload-Offset': '0' },
      }),
    ],
  },
  {
    id: 'other-method',
    from: convention('Core'),
    says: 'A method that means nothing is answered 405, with those that do.',
    steps: [
      send('PUT', '{target}', version, { status: 405, headers: { Allow: present } }),
      post('a', { 'Upload-Length': '10' }, created),
      send('POST', '{a}', version, { status: 405, headers: { Allow: present } }),
    ],
  },
]
