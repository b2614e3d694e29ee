/** IETF resumable uploads: interim answers to an append. */
import { absent, not } from '../engine/matchers.ts'
import { convention, must, should } from '../engine/row.ts'
import { all, append, beginAppend, type IetfRow, open } from './ietf-steps.ts'
import { pattern } from './tus-steps.ts'

const success = { status: '2xx' } as const

export const interimRows: IetfRow[] = [
  {
    id: '104-progress',
    from: { '5': convention('6'), '6': convention('6'), newest: should('4.4.2') },
    says: 'While bytes come, 104s tell the offset.',
    needs: ['ietf:resumption'],
    steps: [
      open('a'),
      beginAppend('a', 0, '?1', pattern(16_000_000), 12_000_000, 'progress'),
      {
        kind: 'finish',
        call: 'append',
        expect: {
          ...success,
          interim: [{ status: 104, which: 'some', headers: { 'Upload-Offset': not('0') } }],
          steadyProgress: true,
        },
      },
    ],
  },
  {
    id: '104-no-location',
    from: all('MUST', '6', '6', '4.4.2'),
    says: '104s in answer to an append tell no Location.',
    steps: [
      open('a'),
      beginAppend('a', 0, '?1', pattern(16_000_000), 12_000_000, 'progress'),
      {
        kind: 'finish',
        call: 'append',
        expect: {
          ...success,
          interim: [{ status: 104, which: 'every', headers: { Location: absent } }],
        },
      },
    ],
  },
  {
    id: '104-version',
    from: all('MUST', '4.2', '4.2', 'Appendix B'),
    says: '104s in answer to an append tell the version of the request.',
    steps: [
      open('a'),
      append('a', 0, '?1', pattern(12_000_000), {
        ...success,
        interim: [
          { status: 104, which: 'every', headers: { 'Upload-Draft-Interop-Version': '{interop}' } },
        ],
      }),
    ],
  },
  {
    id: '104-no-version',
    from: all('MUST', '4.2', '4.2', 'Appendix B'),
    says: 'An append of an unknown version is not answered 104.',
    steps: [
      open('a'),
      append(
        'a',
        0,
        '?0',
        pattern(12_000_000),
        { interim: [{ status: 104, which: 'none' }] },
        {
          headers: { 'Upload-Draft-Interop-Version': '99' },
        },
      ),
    ],
  },
  {
    id: '100-continue',
    from: { newest: must('5') },
    says: 'A client that waits for 100 (Continue) gets it.',
    steps: [
      open('a'),
      append(
        'a',
        0,
        '?1',
        'hello',
        { ...success, interim: [{ status: 100, which: 'some' }] },
        {
          headers: { Expect: '100-continue' },
        },
      ),
    ],
  },
]
