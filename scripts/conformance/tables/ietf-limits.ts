/** IETF resumable uploads: limits. The first text, interop version 5, has none. */
import {
  absent,
  hasMember,
  lacksMember,
  lifetimeUntil,
  limits,
  memberAtLeast,
  memberIs,
  optional,
  present,
} from '../engine/matchers.ts'
import { convention, must, should } from '../engine/row.ts'
import { append, ask, create, type IetfRow, ietfTables, look, open } from './ietf-steps.ts'
import { pattern, text } from './tus-steps.ts'

const success = { status: '2xx' } as const
const tooLong = { 'Upload-Length': '{limit:max-size+1}' }
const limited = ['limit:max-size']

const announced: IetfRow[] = [
  {
    id: 'options',
    from: { '6': must('8.2'), newest: must('4.1.4') },
    says: 'OPTIONS of the target tells the limits: a dictionary of integers, never an empty one.',
    steps: [ask('OPTIONS', '{target}', { ...success, headers: { 'Upload-Limit': limits } })],
  },
  {
    id: 'options-plain',
    from: { '6': must('8.2'), newest: must('4.1.4') },
    says: 'So it does for a client that tells no version.',
    steps: [
      {
        kind: 'send',
        request: { method: 'OPTIONS', to: '{target}' },
        expect: { ...success, headers: { 'Upload-Limit': limits } },
      },
    ],
  },
  {
    id: 'options-as-strict',
    from: { '6': should('8.2'), newest: should('4.1.4') },
    says: 'The maximal size that OPTIONS tells is no larger than the one of an upload.',
    needs: limited,
    steps: [
      create('a', '?0', {
        ...success,
        headers: { 'Upload-Limit': optional(memberAtLeast('max-size', '{limit:max-size}')) },
      }),
      look('a', {
        ...success,
        headers: { 'Upload-Limit': optional(memberAtLeast('max-size', '{limit:max-size}')) },
      }),
    ],
  },
  {
    id: 'creation',
    from: { '6': convention('4') },
    says: 'The answer to a creation tells the limits.',
    steps: [create('a', '?0', { ...success, headers: { 'Upload-Limit': limits } })],
  },
  {
    id: 'no-limits',
    from: { '5': convention('8') },
    says: 'A client of a version without limits is told none.',
    steps: [create('a', '?0', { ...success, headers: { 'Upload-Limit': absent } })],
  },
]

const steady: IetfRow[] = [
  {
    id: 'max-size-stays',
    from: { '6': must('4'), newest: should('4.1.4') },
    says: 'The maximal size stays the same as long as the upload lives.',
    needs: limited,
    steps: [
      {
        ...create('a', '?0', { ...success, headers: { 'Upload-Limit': hasMember('max-size') } }),
        remember: { name: 'maximum', header: 'Upload-Limit', member: 'max-size' },
      },
      look('a', { headers: { 'Upload-Limit': memberIs('max-size', '{maximum}') } }),
      append('a', 0, '?0', 'hello'),
      look('a', { headers: { 'Upload-Limit': memberIs('max-size', '{maximum}') } }),
    ],
  },
  {
    id: 'lifetime-stays',
    from: { newest: should('4.1.4') },
    says: 'The end of the upload’s life does not come nearer.',
    needs: ['limit:max-age'],
    steps: [
      {
        ...create('a', '?0', { ...success, headers: { 'Upload-Limit': present } }),
        remember: { name: 'end', header: 'Upload-Limit', member: 'max-age', asMoment: true },
      },
      append('a', 0, '?0', 'hello'),
      look('a', { headers: { 'Upload-Limit': lifetimeUntil('max-age', '{end}') } }),
    ],
  },
  {
    id: 'lifetime-stays',
    from: { '6': should('8.2') },
    says: 'The end of the upload’s life does not come nearer.',
    needs: ['limit:max-age'],
    steps: [
      {
        ...create('a', '?0', { ...success, headers: { 'Upload-Limit': present } }),
        remember: { name: 'end', header: 'Upload-Limit', member: 'expires', asMoment: true },
      },
      append('a', 0, '?0', 'hello'),
      look('a', { headers: { 'Upload-Limit': lifetimeUntil('expires', '{end}') } }),
    ],
  },
  {
    id: 'lifetime-name',
    from: { '6': must('8.2') },
    says: 'The remaining lifetime is named expires, as it was then.',
    needs: ['limit:max-age'],
    steps: [open('a'), look('a', { headers: { 'Upload-Limit': lacksMember('max-age') } })],
  },
  {
    id: 'lifetime-name',
    from: { newest: must('4.1.4') },
    says: 'The remaining lifetime is named max-age.',
    needs: ['limit:max-age'],
    steps: [open('a'), look('a', { headers: { 'Upload-Limit': lacksMember('expires') } })],
  },
]

const enforced: IetfRow[] = [
  {
    id: 'too-long',
    from: { '6': convention('8.2'), newest: convention('4.1.4') },
    says: 'A creation whose length is above the maximum is answered 413.',
    needs: limited,
    steps: [
      create('a', '?0', { status: 413, headers: { Location: absent } }, { headers: tooLong }),
    ],
  },
  {
    id: 'too-long-limits',
    from: { newest: should('4.1.4') },
    says: 'A refusal for the size tells the limits.',
    needs: limited,
    steps: [
      create(
        'a',
        '?0',
        { status: '4xx', headers: { 'Upload-Limit': hasMember('max-size') } },
        { headers: tooLong },
      ),
    ],
  },
  {
    id: 'too-long-later',
    from: { newest: convention('4.1.4') },
    says: 'An append that tells a length above the maximum is answered 413 with the limits.',
    needs: limited,
    steps: [
      open('a', 'hello'),
      append(
        'a',
        5,
        '?0',
        'x',
        { status: 413, headers: { 'Upload-Limit': hasMember('max-size') } },
        { headers: tooLong },
      ),
    ],
  },
  {
    id: 'longest',
    from: { '6': convention('8.2'), newest: convention('4.1.4') },
    says: 'The maximum itself is not too long.',
    needs: limited,
    steps: [create('a', '?0', success, { headers: { 'Upload-Length': '{limit:max-size}' } })],
  },
  {
    id: 'too-many-bytes',
    from: { '6': convention('8.2'), newest: convention('4.1.4') },
    says: 'More bytes than the maximum are refused though no length was told.',
    needs: [...limited, 'small-maximum'],
    steps: [open('a'), append('a', 0, '?0', pattern(33 * 1024 * 1024), { status: 413 })],
  },
  {
    id: 'min-append-size',
    from: { '6': must('8.2'), newest: must('4.1.4') },
    says: 'An append that completes the upload is taken, however small.',
    needs: ['limit:min-append-size'],
    steps: [open('a'), append('a', 0, '?1', 'x', success)],
  },
  {
    id: 'min-append-size-creation',
    from: { newest: must('4.1.4') },
    says: 'A creation without bytes is taken, whatever the smallest append.',
    needs: ['limit:min-append-size'],
    steps: [create('a', '?0', success, { body: text('') })],
  },
]

export const ietfLimits = ietfTables(
  'ietf-limits',
  [...announced, ...steady, ...enforced],
  [
    {
      from: { '6': must('8.2'), newest: should('4.1.4') },
      says: 'OPTIONS * tells the limits when all resources have the same.',
      unobservable: 'it is no demand on a server that takes uploads at some of its URLs only',
    },
  ],
)
