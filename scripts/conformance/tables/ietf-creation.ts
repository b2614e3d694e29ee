/** IETF resumable uploads: creation, with the interim answers that announce the upload. */
import { not, present } from '../engine/matchers.ts'
import { convention, must, should } from '../engine/row.ts'
import { interimRows } from './ietf-creation-interim.ts'
import { lengthRows } from './ietf-creation-length.ts'
import { otherRows } from './ietf-creation-requests.ts'
import {
  all,
  append,
  beginCreation,
  create,
  cut,
  type IetfRow,
  ietfTables,
  look,
  lookUntil,
  open,
  standsAt,
} from './ietf-steps.ts'
import { holds, pattern, text } from './tus-steps.ts'

const success = { status: '2xx' } as const

const incompleteRows: IetfRow[] = [
  {
    id: 'open-location',
    from: all('MUST', '4', '4', '4.2.2'),
    says: 'A creation that does not complete the upload is answered with its URL.',
    steps: [create('a', '?0', { ...success, headers: { Location: present } }), standsAt('a', 0)],
  },
  {
    id: 'open-status',
    from: { '5': must('4'), '6': must('4'), newest: should('4.2.2') },
    says: 'It is answered 201.',
    steps: [create('a', '?0', { status: 201 }, { body: text('hello') })],
  },
  {
    id: 'open-incomplete',
    from: { '5': must('4'), '6': must('4'), newest: should('4.2.2') },
    says: 'It is answered that the upload is not complete.',
    steps: [
      create(
        'a',
        '?0',
        { ...success, headers: { 'Upload-Complete': '?0' } },
        { body: text('hello') },
      ),
    ],
  },
  {
    id: 'open-offset',
    from: { '5': must('4'), '6': must('4'), newest: convention('4.2.2') },
    says: 'The answer tells where the next bytes begin.',
    steps: [
      create('a', '?0', { ...success, headers: { 'Upload-Offset': '5' } }, { body: text('hello') }),
      standsAt('a', 5),
      append('a', 5, '?1', ' world'),
      holds('a', 'hello world'),
    ],
  },
  {
    id: 'open-empty',
    from: all('MUST', '4', '4', '4.2.1'),
    says: 'A creation may have no bytes, only to learn the upload’s URL.',
    steps: [open('a'), standsAt('a', 0), append('a', 0, '?1', 'hello'), holds('a', 'hello')],
  },
]

const completeRows: IetfRow[] = [
  {
    id: 'whole-status',
    from: { '5': must('4'), '6': must('4'), newest: must('4.2.1') },
    says: 'A creation that carries everything is answered 2xx.',
    steps: [create('a', '?1', success, { body: text('hello') })],
  },
  {
    id: 'whole-201',
    from: { '5': should('4'), '6': should('4'), newest: convention('4.2.2') },
    says: 'It is answered 201.',
    steps: [create('a', '?1', { status: 201 }, { body: text('hello') })],
  },
  {
    id: 'whole-not-incomplete',
    from: { '5': must('4'), '6': must('4') },
    says: 'It is not answered that the upload is incomplete.',
    steps: [
      create(
        'a',
        '?1',
        { ...success, headers: { 'Upload-Complete': not('?0') } },
        { body: text('hello') },
      ),
    ],
  },
  {
    id: 'whole-complete',
    from: { '5': convention('4'), '6': convention('4'), newest: should('4.2.2') },
    says: 'It is answered that the upload is complete.',
    steps: [
      create(
        'a',
        '?1',
        { ...success, headers: { 'Upload-Complete': '?1' } },
        { body: text('hello') },
      ),
    ],
  },
  {
    id: 'whole-location',
    from: { '5': must('4'), '6': must('4'), newest: convention('4.2.2') },
    says: 'It is answered with the upload’s URL.',
    steps: [create('a', '?1', { headers: { Location: present } }, { body: text('hello') })],
  },
  {
    id: 'whole-offset',
    from: { '5': must('4'), '6': must('4'), newest: convention('4.2.2') },
    says: 'The answer tells the end offset of the upload.',
    steps: [create('a', '?1', { headers: { 'Upload-Offset': '5' } }, { body: text('hello') })],
  },
  {
    id: 'whole-stored',
    from: all('MUST', '4', '4', '4.2.2'),
    says: 'The upload holds what came, and is complete.',
    steps: [
      create('a', '?1', success, { body: text('hello') }),
      look('a', { ...success, headers: { 'Upload-Complete': '?1', 'Upload-Offset': '5' } }),
      holds('a', 'hello'),
    ],
  },
  {
    id: 'whole-large',
    from: all('MUST', '4', '4', '4.2.2'),
    says: 'So it is with several megabytes.',
    steps: [
      create('a', '?1', success, { body: pattern(6_000_001) }),
      standsAt('a', 6_000_001, '?1'),
      holds('a', pattern(6_000_001)),
    ],
  },
  {
    id: 'whole-empty',
    from: all('MUST', '4', '4', '4.2.1'),
    says: 'A creation without bytes that completes the upload makes an empty one.',
    steps: [create('a', '?1', success), standsAt('a', 0, '?1'), holds('a', '')],
  },
  {
    id: 'whole-chunked',
    from: all('MUST', '4', '14', '9'),
    says: 'The offset counts the bytes, not the transfer coding.',
    steps: [
      create('a', '?1', success, { body: text('hello'), chunked: true }),
      standsAt('a', 5, '?1'),
      holds('a', 'hello'),
    ],
  },
]

const brokenRows: IetfRow[] = [
  {
    id: 'cut-incomplete',
    from: all('MUST', '5', '4', '4.2.2'),
    says: 'An upload whose creation broke off is not complete.',
    needs: ['ietf:resumption'],
    steps: [
      beginCreation('a', '?1', pattern(400_000), 150_000),
      cut('creation'),
      look('a', { ...success, headers: { 'Upload-Complete': '?0' } }),
    ],
  },
  {
    id: 'cut-stored',
    from: { '5': convention('4'), '6': should('4'), newest: should('4.2.2') },
    says: 'What arrived of a creation that broke off is kept: all of it.',
    needs: ['ietf:resumption'],
    steps: [
      beginCreation('a', '?1', pattern(400_000), 150_000),
      cut('creation'),
      lookUntil('a', { headers: { 'Upload-Offset': '150000', 'Upload-Complete': '?0' } }),
    ],
  },
  {
    id: 'cut-continues',
    from: { '5': must('5'), '6': must('5'), newest: must('4.6') },
    says: 'An upload goes on where its creation broke off.',
    needs: ['ietf:resumption'],
    steps: [
      beginCreation('a', '?1', pattern(400_000), 150_000),
      cut('creation'),
      lookUntil('a', { headers: { 'Upload-Offset': '150000' } }),
      append('a', 150_000, '?1', pattern(400_000).subarray(150_000)),
      holds('a', pattern(400_000)),
    ],
  },
]

export const ietfCreation = ietfTables(
  'ietf-creation',
  [...incompleteRows, ...completeRows, ...brokenRows, ...otherRows, ...interimRows, ...lengthRows],
  [
    {
      from: all('SHOULD', '10', '18', '13'),
      says: 'URLs of uploads are hard to guess, and only those who may can use them.',
      unobservable:
        'how a URL came about is not seen in it, and who may is no part of the protocol',
    },
    {
      from: { newest: must('13') },
      says: 'A URL tells nothing internal.',
      unobservable: 'what is internal is known to the server alone',
    },
    {
      from: { newest: must('13') },
      says: 'Metadata that is used is validated.',
      unobservable: 'what is done with metadata is no part of the protocol',
    },
    {
      from: { '6': should('18'), '5': should('10'), newest: should('13') },
      says: 'There are means against Slowloris attacks; permissions are looked at again at the end.',
      unobservable: 'they are the server’s own',
    },
    {
      from: { '5': should('6'), '6': should('6') },
      says: 'The representation metadata of the creation counts, not that of appends.',
      unobservable: 'what a server makes of metadata is not told by this protocol',
    },
  ],
)
