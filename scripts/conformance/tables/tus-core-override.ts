/** tus 1.0.0, "Core Protocol": X-HTTP-Method-Override. */
import { absent, present } from '../engine/matchers.ts'
import { must, type Row } from '../engine/row.ts'
import {
  begun,
  created,
  each,
  filled,
  head,
  holds,
  patch,
  patchHeaders,
  send,
  stands,
  text,
  version,
} from './tus-steps.ts'

const overriding = (method: string) => ({ 'X-HTTP-Method-Override': method })

export const overrideRows: Row[] = [
  ...each(['POST', 'PUT', 'GET', 'DELETE'], (real) => ({
    id: `override-${real.toLowerCase()}-patch`,
    from: must('Core/X-HTTP-Method-Override'),
    says: `A ${real} that says it is a PATCH is one.`,
    steps: [
      begun('a', 5),
      send(
        real,
        '{a}',
        patchHeaders(0, overriding('PATCH')),
        { status: 204, headers: { 'Upload-Offset': '5' } },
        { body: text('hello') },
      ),
      holds('a', 'hello'),
    ],
  })),
  {
    id: 'override-post-head',
    from: must('Core/X-HTTP-Method-Override'),
    says: 'A POST to an upload that says it is a HEAD is one.',
    steps: [
      begun('a', 10),
      send(
        'POST',
        '{a}',
        { ...version, ...overriding('HEAD') },
        {
          status: [200, 204],
          headers: { 'Upload-Offset': '0', 'Upload-Length': '10' },
        },
      ),
    ],
  },
  {
    id: 'override-patch-head',
    from: must('Core/X-HTTP-Method-Override'),
    says: 'A PATCH that says it is a HEAD appends nothing.',
    steps: [
      ...filled('a', 10, 'hello'),
      patch('a', 5, text('world'), { status: [200, 204] }, overriding('HEAD')),
      stands('a', 5),
    ],
  },
  {
    id: 'override-post-delete',
    from: must('Core/X-HTTP-Method-Override'),
    says: 'A POST to an upload that says it is a DELETE is one.',
    needs: ['termination'],
    steps: [
      begun('a', 10),
      send('POST', '{a}', { ...version, ...overriding('DELETE') }, { status: 204 }),
      head('a', { status: [404, 410] }),
    ],
  },
  {
    id: 'override-delete-head',
    from: must('Core/X-HTTP-Method-Override'),
    says: 'A DELETE that says it is a HEAD removes nothing.',
    steps: [
      begun('a', 10),
      send('DELETE', '{a}', { ...version, ...overriding('HEAD') }, { status: [200, 204] }),
      stands('a', 0),
    ],
  },
  {
    id: 'override-put-post',
    from: must('Core/X-HTTP-Method-Override'),
    says: 'A PUT to the target that says it is a POST makes an upload.',
    steps: [
      send(
        'PUT',
        '{target}',
        { ...version, ...overriding('POST'), 'Upload-Length': '10' },
        created,
        {
          as: 'a',
        },
      ),
      stands('a', 0),
    ],
  },
  {
    id: 'override-post-options',
    from: must('Core/X-HTTP-Method-Override'),
    says: 'A POST that says it is an OPTIONS is one.',
    steps: [
      send('POST', '{target}', overriding('OPTIONS'), {
        status: [200, 204],
        headers: { 'Tus-Version': present, Location: absent },
      }),
    ],
  },
  {
    id: 'override-unknown',
    from: must('Core/X-HTTP-Method-Override'),
    says: 'The real method does not count when another is told, even one that means nothing.',
    steps: [
      begun('a', 10),
      patch('a', 0, text('hello'), { status: '4xx' }, overriding('NONSENSE')),
      stands('a', 0),
    ],
  },
]
