/** IETF resumable uploads: 104 (Upload Resumption Supported) in answer to a creation. */
import { absent, atLeast, hasMember, present } from '../engine/matchers.ts'
import { convention, type Expected, must } from '../engine/row.ts'
import { all, ask, create, type IetfRow, lookUntil } from './ietf-steps.ts'
import { pattern, text } from './tus-steps.ts'

const success = { status: '2xx' } as const
const none: Expected = { interim: [{ status: 104, which: 'none' }] }
const hello = { body: text('hello') }

/** Creations with these headers, of a version that is not known. */
const unannounced = (
  id: string,
  says: string,
  headers: Readonly<Record<string, string>>,
): IetfRow => ({
  id,
  from: all('MUST', '4.2', '4.2', 'Appendix B'),
  says,
  steps: [
    {
      kind: 'send',
      request: {
        method: 'POST',
        to: '{target}',
        headers: { 'Upload-Complete': '?0', ...headers },
        body: text('hello'),
      },
      expect: none,
    },
  ],
})

export const interimRows: IetfRow[] = [
  {
    id: '104-sent',
    from: all('SHOULD', '4.1', '4.1', '4.2.2'),
    says: 'A creation is answered 104 once the upload is there.',
    steps: [create('a', '?1', { ...success, interim: [{ status: 104, which: 'some' }] }, hello)],
  },
  {
    id: '104-sent-open',
    from: all('SHOULD', '4.1', '4.1', '4.2.2'),
    says: 'So is a creation that does not complete the upload.',
    steps: [create('a', '?0', { ...success, interim: [{ status: 104, which: 'some' }] }, hello)],
  },
  {
    id: '104-location',
    from: all('MUST', '4', '4', '4.2.2'),
    says: 'The first 104 tells the upload’s URL.',
    steps: [
      create(
        'a',
        '?1',
        {
          interim: [{ status: 104, which: 'first', headers: { Location: present } }],
        },
        hello,
      ),
      lookUntil('a', success),
    ],
  },
  {
    id: '104-same-location',
    from: { newest: must('4.2.2') },
    says: 'The final answer of a creation that does not complete the upload tells the same URL.',
    steps: [
      create('a', '?0', { ...success, headers: { Location: present }, sameLocation: true }, hello),
    ],
  },
  {
    id: '104-later-location',
    from: { '5': must('4'), '6': must('4') },
    says: 'Later 104s do not tell it again.',
    steps: [
      create(
        'a',
        '?1',
        {
          interim: [{ status: 104, which: 'later', headers: { Location: absent } }],
        },
        { body: pattern(6_000_000) },
      ),
    ],
  },
  {
    id: '104-version',
    from: all('MUST', '4.2', '4.2', 'Appendix B'),
    says: 'Every 104 tells the version of the request.',
    steps: [
      create(
        'a',
        '?1',
        {
          interim: [
            {
              status: 104,
              which: 'every',
              headers: { 'Upload-Draft-Interop-Version': '{interop}' },
            },
          ],
        },
        { body: pattern(6_000_000) },
      ),
    ],
  },
  {
    id: '104-limits',
    from: { newest: must('4.2.2') },
    says: 'The 104 that tells the upload’s URL tells its limits.',
    needs: ['upload-limit'],
    steps: [
      create(
        'a',
        '?1',
        {
          interim: [{ status: 104, which: 'first', headers: { 'Upload-Limit': present } }],
        },
        hello,
      ),
    ],
  },
  {
    id: 'open-limits',
    from: { newest: must('4.2.2') },
    says: 'The answer to a creation that does not complete the upload tells its limits.',
    needs: ['upload-limit'],
    steps: [create('a', '?0', { ...success, headers: { 'Upload-Limit': present } })],
  },
  {
    id: 'open-limits-max-size',
    from: { newest: must('4.2.2') },
    says: 'The maximal size is among them.',
    needs: ['upload-limit', 'limit:max-size'],
    steps: [create('a', '?0', { ...success, headers: { 'Upload-Limit': hasMember('max-size') } })],
  },
  unannounced('104-no-version', 'A creation that tells no version is not answered 104.', {}),
  unannounced('104-other-version', 'A creation of an unknown version is not answered 104.', {
    'Upload-Draft-Interop-Version': '99',
  }),
  unannounced('104-bad-version', 'A creation whose version is no number is not answered 104.', {
    'Upload-Draft-Interop-Version': 'newest',
  }),
  {
    id: '104-progress-steady',
    from: { '5': must('4'), '6': must('11'), newest: must('4.1.1') },
    says: 'The offsets of 104s never go down, and later ones are not below the last of them.',
    steps: [
      create('b', '?0', { ...success, steadyProgress: true }, { body: pattern(12_000_000) }),
      lookUntil('b', { headers: { 'Upload-Offset': atLeast('{progress}') } }),
    ],
  },
  {
    id: '100-continue',
    from: { newest: must('5') },
    says: 'A client that waits for 100 (Continue) gets it, a 104 notwithstanding.',
    steps: [
      create(
        'a',
        '?1',
        { ...success, interim: [{ status: 100, which: 'some' }] },
        {
          ...hello,
          headers: { Expect: '100-continue' },
        },
      ),
    ],
  },
  {
    id: 'any-version-works',
    from: { newest: convention('4.2.2') },
    says: 'An upload begins also when its version is not told.',
    steps: [
      {
        ...ask('POST', '{target}', { ...success, headers: { Location: present } }, hello),
        request: {
          method: 'POST',
          to: '{target}',
          headers: { 'Upload-Complete': '?0' },
          body: text('hello'),
        },
      },
    ],
  },
]
