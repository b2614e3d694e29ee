/** tus 1.0.0, "Expiration". Rows that wait for it need a server whose uploads do not live long. */
import { futureDate, httpDate, lists } from '../engine/matchers.ts'
import { convention, must, type Row, should } from '../engine/row.ts'
import {
  begun,
  bytesType,
  created,
  filled,
  head,
  headUntil,
  holds,
  options,
  patch,
  post,
  text,
  tusTable,
  whole,
} from './tus-steps.ts'

const dated = { 'Upload-Expires': httpDate }
const gone = [404, 410] as const

const rows: Row[] = [
  {
    id: 'advertised',
    from: must('Expiration'),
    says: 'OPTIONS lists the extension.',
    steps: [options({ headers: { 'Tus-Extension': lists('expiration') } })],
  },
  {
    id: 'post',
    from: must('Expiration/Upload-Expires'),
    says: 'The answer to a creation tells when the upload expires, as HTTP writes times.',
    steps: [post('a', { 'Upload-Length': '10' }, { ...created, headers: dated })],
  },
  {
    id: 'post-with-bytes',
    from: must('Expiration/Upload-Expires'),
    says: 'So does the answer to a creation with bytes that do not finish the upload.',
    needs: ['creation-with-upload'],
    steps: [
      post(
        'a',
        { ...bytesType, 'Upload-Length': '10' },
        { ...created, headers: dated },
        text('hello'),
      ),
    ],
  },
  {
    id: 'patch',
    from: must('Expiration/Upload-Expires'),
    says: 'The answer to a PATCH that does not finish the upload tells when it expires.',
    steps: [begun('a', 10), patch('a', 0, text('hello'), { status: 204, headers: dated })],
  },
  {
    id: 'patch-refused',
    from: must('Expiration/Upload-Expires'),
    says: 'Every answer to a PATCH of an unfinished upload tells when it expires, a 409 too.',
    steps: [begun('a', 10), patch('a', 3, text('hello'), { status: 409, headers: dated })],
  },
  {
    id: 'future',
    from: convention('Expiration/Upload-Expires'),
    says: 'The time is one to come.',
    steps: [
      post(
        'a',
        { 'Upload-Length': '10' },
        { ...created, headers: { 'Upload-Expires': futureDate } },
      ),
      patch('a', 0, text('hello'), { status: 204, headers: { 'Upload-Expires': futureDate } }),
    ],
  },
  {
    id: 'head-expired',
    from: should('Expiration/Upload-Expires'),
    says: 'HEAD of an upload that expired is answered 404 or 410.',
    needs: ['short-lived'],
    steps: [...filled('a', 10, 'hello'), headUntil('a', { status: gone })],
  },
  {
    id: 'patch-expired',
    from: should('Expiration/Upload-Expires'),
    says: 'PATCH of an upload that expired is answered 404 or 410.',
    needs: ['short-lived'],
    steps: [
      ...filled('a', 10, 'hello'),
      headUntil('a', { status: gone }),
      patch('a', 5, text('world'), { status: gone }),
    ],
  },
  {
    id: 'finished-stays',
    from: convention('Expiration'),
    says: 'An upload that is complete does not expire this way.',
    needs: ['short-lived'],
    steps: [
      ...whole('a', 'hello'),
      begun('b', 10),
      headUntil('b', { status: gone }),
      head('a', { status: [200, 204], headers: { 'Upload-Offset': '5' } }),
      holds('a', 'hello'),
    ],
  },
]

export const tusExpiration = tusTable('tus-expiration', ['creation', 'expiration'], rows, [
  {
    from: should('Expiration/Upload-Expires'),
    says: 'A server that keeps track of expired uploads answers 410 rather than 404.',
    unobservable: 'whether it keeps track is known to the server alone',
  },
])
