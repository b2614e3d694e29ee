/** tus 1.0.0, "Core Protocol": versions and OPTIONS. */
import { absent, lists, matches, optional, present, wholeNumber } from '../engine/matchers.ts'
import { convention, type Expected, must, type Row } from '../engine/row.ts'
import {
  begun,
  created,
  each,
  hash,
  head,
  options,
  patch,
  patchHeaders,
  post,
  send,
  stands,
  text,
  version,
} from './tus-steps.ts'

const other = { 'Tus-Resumable': '0.2.2' }
const told: Expected['headers'] = { 'Tus-Resumable': '1.0.0' }
const refused: Expected = { status: 412 }
const notDone: Expected = { status: '4xx', headers: { Location: absent } }
const tokens = matches(/^[^\s,]+(\s*,\s*[^\s,]+)*$/, 'a comma-separated list')

/** Every answer that a server gives, as a step that expects the version in it. */
interface Answer {
  readonly name: string
  readonly needs?: readonly string[]
  readonly steps: Row['steps']
}

const answers: readonly Answer[] = [
  {
    name: 'for a length above the maximum',
    needs: ['max-size'],
    steps: [post('a', { 'Upload-Length': '{max-size+1}' }, { status: 413, headers: told })],
  },
  {
    name: 'for a wrong checksum',
    needs: ['checksum'],
    steps: [
      begun('a', 10),
      patch(
        'a',
        0,
        text('hello'),
        { status: '4xx', headers: told },
        {
          'Upload-Checksum': `sha1 ${hash('sha1', 'other')}`,
        },
      ),
    ],
  },
  {
    name: 'to a PATCH of a final upload',
    needs: ['concatenation'],
    steps: [
      begun('a', 0, { 'Upload-Concat': 'partial' }),
      post('final', { 'Upload-Concat': 'final;{a}' }, created),
      patch('final', 0, text('x'), { status: 403, headers: told }),
    ],
  },
  {
    name: 'for an upload that was removed',
    needs: ['termination'],
    steps: [
      begun('a', 10),
      send('DELETE', '{a}', version, { status: 204 }),
      head('a', { status: '4xx', headers: told }),
    ],
  },
  { name: 'to POST', steps: [post('a', { 'Upload-Length': '10' }, { ...created, headers: told })] },
  { name: 'to HEAD', steps: [begun('a', 10), head('a', { headers: told })] },
  {
    name: 'to PATCH',
    steps: [begun('a', 10), patch('a', 0, text('hello'), { status: 204, headers: told })],
  },
  {
    name: 'for an upload that is not there',
    steps: [begun('a', 10), send('HEAD', '{a}x', version, { status: '4xx', headers: told })],
  },
  {
    name: 'for a wrong offset',
    steps: [begun('a', 10), patch('a', 3, text('x'), { status: 409, headers: told })],
  },
  {
    name: 'for a wrong content type',
    steps: [
      begun('a', 10),
      patch('a', 0, text('x'), { status: '4xx', headers: told }, { 'Content-Type': 'text/plain' }),
    ],
  },
  {
    name: 'for a creation without a length',
    steps: [send('POST', '{target}', version, { status: '4xx', headers: told })],
  },
  {
    name: 'for another version',
    steps: [
      send(
        'POST',
        '{target}',
        { ...other, 'Upload-Length': '1' },
        { status: '4xx', headers: told },
      ),
    ],
  },
]

export const versionRows: Row[] = [
  ...each(answers, ({ name, needs = [], steps }) => ({
    id: `resumable-in-answer ${name}`,
    from: must('Core/Tus-Resumable'),
    says: `The answer ${name} tells the version of the protocol.`,
    needs,
    steps,
  })),
  {
    id: 'unsupported-post',
    from: must('Core/Tus-Resumable'),
    says: 'A POST of another version is answered 412.',
    steps: [send('POST', '{target}', { ...other, 'Upload-Length': '10' }, refused)],
  },
  {
    id: 'unsupported-post-not-processed',
    from: must('Core/Tus-Resumable'),
    says: 'A POST of another version makes nothing.',
    steps: [send('POST', '{target}', { ...other, 'Upload-Length': '10' }, notDone)],
  },
  {
    id: 'unsupported-head',
    from: must('Core/Tus-Resumable'),
    says: 'A HEAD of another version is answered 412, without an offset.',
    steps: [
      begun('a', 10),
      send('HEAD', '{a}', other, { ...refused, headers: { 'Upload-Offset': absent } }),
    ],
  },
  {
    id: 'unsupported-patch',
    from: must('Core/Tus-Resumable'),
    says: 'A PATCH of another version is answered 412.',
    steps: [begun('a', 10), patch('a', 0, text('hello'), refused, other)],
  },
  {
    id: 'unsupported-patch-not-processed',
    from: must('Core/Tus-Resumable'),
    says: 'A PATCH of another version appends nothing.',
    steps: [begun('a', 10), patch('a', 0, text('hello'), notDone, other), stands('a', 0)],
  },
  {
    id: 'unsupported-delete',
    from: must('Core/Tus-Resumable'),
    says: 'A DELETE of another version is answered 412.',
    needs: ['termination'],
    steps: [begun('a', 10), send('DELETE', '{a}', other, refused)],
  },
  {
    id: 'unsupported-delete-not-processed',
    from: must('Core/Tus-Resumable'),
    says: 'A DELETE of another version removes nothing.',
    needs: ['termination'],
    steps: [begun('a', 10), send('DELETE', '{a}', other, notDone), stands('a', 0)],
  },
  {
    id: 'unsupported-versions',
    from: must('Core/Tus-Resumable'),
    says: 'A refusal for the version tells the versions that would do.',
    steps: [
      send(
        'POST',
        '{target}',
        { ...other, 'Upload-Length': '10' },
        { headers: { 'Tus-Version': lists('1.0.0') } },
      ),
    ],
  },
  {
    id: 'unsupported-first',
    from: must('Core/Tus-Resumable'),
    says: 'The version is looked at before anything else, also for uploads that are not there.',
    steps: [
      begun('a', 10),
      send('PATCH', '{a}x', { ...patchHeaders('nonsense'), ...other }, refused, {
        body: text('x'),
      }),
    ],
  },
  {
    id: 'missing-version',
    from: convention('Core/Tus-Resumable'),
    says: 'A request without a version is 412, tells the versions that would do, and does nothing.',
    steps: [
      send(
        'POST',
        '{target}',
        { 'Upload-Length': '10' },
        {
          ...refused,
          headers: { 'Tus-Version': lists('1.0.0'), Location: absent },
        },
      ),
    ],
  },
]

export const optionsRows: Row[] = [
  {
    id: 'options-status',
    from: must('Core/OPTIONS'),
    says: 'OPTIONS is answered 204 or 200 with the versions.',
    steps: [options({ status: [200, 204], headers: { 'Tus-Version': lists('1.0.0') } })],
  },
  {
    id: 'options-ignores-version',
    from: must('Core/OPTIONS'),
    says: 'OPTIONS ignores the version of the request.',
    steps: [options({ status: [200, 204], headers: { 'Tus-Version': present } }, other)],
  },
  {
    id: 'version-list',
    from: must('Core/Tus-Version'),
    says: 'The versions are a comma-separated list.',
    steps: [options({ headers: { 'Tus-Version': tokens } })],
  },
  {
    id: 'extension-list',
    from: must('Core/Tus-Extension'),
    says: 'The extensions are a comma-separated list; none at all are no header.',
    steps: [options({ headers: { 'Tus-Extension': optional(tokens) } })],
  },
  {
    id: 'max-size-number',
    from: must('Core/Tus-Max-Size'),
    says: 'The maximal size is a whole number.',
    steps: [options({ headers: { 'Tus-Max-Size': optional(wholeNumber) } })],
  },
  {
    id: 'options-upload',
    from: convention('Core/OPTIONS'),
    says: 'OPTIONS of an upload’s URL tells the versions, too.',
    steps: [
      begun('a', 10),
      send('OPTIONS', '{a}', {}, { status: [200, 204], headers: { 'Tus-Version': present } }),
    ],
  },
]
