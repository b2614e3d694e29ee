/** IETF resumable uploads: a new request while an earlier one still sends bytes. */
import { convention, must, should } from '../engine/row.ts'
import {
  all,
  append,
  beginAppend,
  beginCreation,
  cancel,
  type IetfRow,
  ietfTables,
  look,
  lookUntil,
  open,
  standsAt,
} from './ietf-steps.ts'
import { holds, pattern } from './tus-steps.ts'

const success = { status: '2xx' } as const
const bytes = pattern(400_000)
const ended = {
  kind: 'finish',
  call: 'append',
  expect: { status: ['4xx', '5xx'], orClosed: true },
} as const
/** Nobody knows how it ends, and nothing hangs on it. */
const anyEnd = { kind: 'finish', call: 'append', expect: { orClosed: true } } as const
const offset = { remember: { name: 'offset', header: 'Upload-Offset' } } as const

const rows: IetfRow[] = [
  {
    id: 'offset-usable',
    from: all('MUST', '5', '5', '4.6'),
    says: 'An offset told while an append goes on is accepted, also when that append sends more.',
    steps: [
      open('a'),
      beginAppend('a', 0, '?0', bytes, 100_000),
      lookUntil('a', { ...success, headers: { 'Upload-Offset': '100000' } }, offset),
      anyEnd,
      append('a', '{offset}', '?1', bytes.subarray(100_000)),
      standsAt('a', 400_000, '?1'),
      holds('a', bytes),
    ],
  },
  {
    id: 'no-corruption',
    from: { '5': should('6'), '6': should('6'), newest: must('4.6') },
    says: 'Two appends of the same bytes at once leave them once, from the beginning, without holes.',
    steps: [
      open('a'),
      beginAppend('a', 0, '?0', bytes, 100_000),
      append('a', 0, '?0', bytes.subarray(0, 50_000), { status: ['2xx', 409] }),
      anyEnd,
      look('a', success, offset),
      append('a', '{offset}', '?1', '', success),
      look('a', { ...success, headers: { 'Upload-Offset': '{offset}' } }),
      { kind: 'content', of: 'a', prefixOf: bytes },
    ],
  },
  {
    id: 'takeover',
    from: { '5': should('6'), '6': should('6'), newest: should('4.6') },
    says: 'A client that believes its append lost goes on from the offset, without waiting for it.',
    steps: [
      open('a'),
      beginAppend('a', 0, '?1', bytes, 150_000),
      lookUntil('a', { ...success, headers: { 'Upload-Offset': '150000' } }),
      append('a', 150_000, '?1', bytes.subarray(150_000), success),
      ended,
      holds('a', bytes),
    ],
  },
  {
    id: 'head-ends',
    from: { '5': convention('5'), '6': convention('5'), newest: should('4.6') },
    says: 'A HEAD ends the append that was going on.',
    steps: [
      open('a'),
      beginAppend('a', 0, '?1', bytes, 100_000),
      lookUntil('a', { ...success, headers: { 'Upload-Offset': '100000' } }),
      ended,
      standsAt('a', 100_000),
    ],
  },
  {
    id: 'append-ends',
    from: { '5': convention('6'), '6': convention('6'), newest: should('4.6') },
    says: 'An append ends the one before it.',
    steps: [
      open('a'),
      beginAppend('a', 0, '?1', bytes, 100_000),
      append('a', 0, '?0', bytes.subarray(0, 1000), { status: ['2xx', 409] }),
      ended,
    ],
  },
  {
    id: 'cancel-ends',
    from: { '5': convention('7'), '6': convention('7'), newest: should('4.6') },
    says: 'A cancellation ends the append that was going on.',
    needs: ['ietf:cancellation'],
    steps: [
      open('a'),
      beginAppend('a', 0, '?1', bytes, 100_000),
      cancel('a', success),
      ended,
      look('a', { status: [404, 410] }),
    ],
  },
  {
    id: 'creation-ends',
    from: { '5': convention('5'), '6': convention('5'), newest: should('4.6') },
    says: 'A HEAD ends the creation that was still sending bytes.',
    needs: ['ietf:resumption'],
    steps: [
      beginCreation('a', '?1', bytes, 100_000),
      lookUntil('a', { ...success, headers: { 'Upload-Offset': '100000' } }),
      { ...ended, call: 'creation' },
      append('a', 100_000, '?1', bytes.subarray(100_000), success),
      holds('a', bytes),
    ],
  },
]

export const ietfConcurrency = ietfTables('ietf-concurrency', rows)
