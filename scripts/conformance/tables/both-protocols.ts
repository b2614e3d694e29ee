/** One upload, two protocols: what neither text says, and what makes them one server. */
import { absent } from '../engine/matchers.ts'
import { convention, type Row, type Table } from '../engine/row.ts'
import { append, cancel, done, look, open, standsAt } from './ietf-steps.ts'
import { begun, filled, head, holds, patch, remove, stands, text, whole } from './tus-steps.ts'

const from = convention('one record')

const rows: Row[] = [
  {
    id: 'tus-asked-by-ietf',
    from,
    says: 'An upload that tus began tells the IETF’s protocol where it stands.',
    steps: [
      ...filled('a', 11, 'hello'),
      look('a', {
        status: '2xx',
        headers: { 'Upload-Offset': '5', 'Upload-Length': '11', 'Upload-Complete': '?0' },
      }),
    ],
  },
  {
    id: 'tus-complete-to-ietf',
    from,
    says: 'An upload that is complete to tus is complete to the IETF’s protocol.',
    steps: [...whole('a', 'hello'), standsAt('a', 5, '?1')],
  },
  {
    id: 'ietf-asked-by-tus',
    from,
    says: 'An upload that the IETF’s protocol began tells tus where it stands.',
    steps: [
      open('a', 'hello', { 'Upload-Length': '11' }),
      head('a', { status: '2xx', headers: { 'Upload-Offset': '5', 'Upload-Length': '11' } }),
    ],
  },
  {
    id: 'ietf-unknown-length-to-tus',
    from,
    says: 'An upload whose length is not known is one whose length comes later.',
    steps: [
      open('a', 'hello'),
      head('a', {
        status: '2xx',
        headers: { 'Upload-Offset': '5', 'Upload-Length': absent, 'Upload-Defer-Length': '1' },
      }),
    ],
  },
  {
    id: 'ietf-reached-to-tus',
    from,
    says: 'An upload that has all its bytes is not complete to tus before it is said to be.',
    steps: [
      open('a', 'hello', { 'Upload-Length': '5' }),
      head('a', { headers: { 'Upload-Length': absent, 'Upload-Defer-Length': '1' } }),
      append('a', 5, '?1', ''),
      head('a', { headers: { 'Upload-Length': '5', 'Upload-Offset': '5' } }),
    ],
  },
  {
    id: 'ietf-complete-to-tus',
    from,
    says: 'An upload that is complete to the IETF’s protocol is complete to tus.',
    steps: [
      ...done('a', 'hello'),
      head('a', { headers: { 'Upload-Offset': '5', 'Upload-Length': '5' } }),
    ],
  },
  {
    id: 'ietf-removed-by-tus',
    from,
    says: 'What one protocol removes is gone for the other.',
    needs: ['termination', 'ietf:cancellation'],
    steps: [
      open('a', 'hello'),
      remove('a', { status: 204 }),
      look('a', { status: [404, 410] }),
      begun('b', 5),
      cancel('b', { status: '2xx' }),
      head('b', { status: [404, 410] }),
    ],
  },
  {
    id: 'tus-not-appended-twice',
    from,
    says: 'Both protocols count the same offset, whichever sent the bytes before.',
    steps: [
      ...filled('a', 11, 'hello'),
      append('a', 3, '?0', 'xx', { status: '4xx' }),
      stands('a', 5),
      patch('a', 5, text(' world')),
      holds('a', 'hello world'),
    ],
  },
]

export const bothProtocols: Table = {
  name: 'both-protocols',
  specification: 'no specification',
  interop: 'newest',
  needs: ['tus', 'creation', 'ietf:newest'],
  rows,
  unobservable: [],
}
