/** What pages of other origins need. Nothing of it is in tus 1.0.0. */
import { listsOrAny, matches, present } from '../engine/matchers.ts'
import { convention, type Row } from '../engine/row.ts'
import {
  begun,
  created,
  each,
  filled,
  head,
  patch,
  post,
  remove,
  send,
  text,
  tusTable,
  version,
} from './tus-steps.ts'

const page = { Origin: 'https://app.example' }
const allowed = matches(/^(\*|https:\/\/app\.example)$/, '* or the origin')
const open = { 'Access-Control-Allow-Origin': allowed }
const asks = (method: string, headers: string) => ({
  ...page,
  'Access-Control-Request-Method': method,
  'Access-Control-Request-Headers': headers,
})
const from = convention('CORS (Fetch)')

const sent = [
  'Authorization',
  'Content-Type',
  'Tus-Resumable',
  'Upload-Offset',
  'Upload-Length',
  'Upload-Metadata',
  'Upload-Defer-Length',
  'Upload-Concat',
  'Upload-Checksum',
  'X-HTTP-Method-Override',
  'X-Requested-With',
  'X-Request-ID',
]
const read = [
  'Location',
  'Tus-Resumable',
  'Tus-Version',
  'Tus-Extension',
  'Tus-Max-Size',
  'Upload-Offset',
  'Upload-Length',
  'Upload-Metadata',
  'Upload-Defer-Length',
  'Upload-Concat',
  'Upload-Expires',
]
const ietfSent = [
  'Content-Type',
  'Content-Disposition',
  'Upload-Complete',
  'Upload-Draft-Interop-Version',
  'Upload-Offset',
  'Upload-Length',
]
const ietfRead = [
  'Location',
  'Upload-Offset',
  'Upload-Complete',
  'Upload-Limit',
  'Upload-Draft-Interop-Version',
]

const rows: Row[] = [
  {
    id: 'preflight-creation',
    from,
    says: 'A page may create uploads.',
    steps: [
      send('OPTIONS', '{target}', asks('POST', 'tus-resumable,upload-length'), {
        status: [200, 204],
        headers: { ...open, 'Access-Control-Allow-Methods': present },
      }),
    ],
  },
  ...each(['PATCH', 'HEAD', 'DELETE'], (method) => ({
    id: `preflight-${method.toLowerCase()}`,
    from,
    says: `A page may send ${method} to an upload.`,
    steps: [
      begun('a', 10),
      send('OPTIONS', '{a}', asks(method, 'tus-resumable,upload-offset'), {
        status: [200, 204],
        headers: { ...open, 'Access-Control-Allow-Methods': listsOrAny(method) },
      }),
    ],
  })),
  ...each(sent, (header) => ({
    id: `may-send ${header}`,
    from,
    says: `A page may send ${header}.`,
    steps: [
      send('OPTIONS', '{target}', asks('POST', header.toLowerCase()), {
        headers: { 'Access-Control-Allow-Headers': listsOrAny(header) },
      }),
    ],
  })),
  ...each(ietfSent, (header) => ({
    id: `may-send-ietf ${header}`,
    from,
    says: `A page that speaks the IETF’s protocol may send ${header}.`,
    needs: ['ietf'],
    steps: [
      send('OPTIONS', '{target}', asks('POST', header.toLowerCase()), {
        headers: { 'Access-Control-Allow-Headers': listsOrAny(header) },
      }),
    ],
  })),
  {
    id: 'may-read-post',
    from,
    says: 'A page may read the answer to a creation.',
    steps: [
      post(
        'a',
        { ...page, 'Upload-Length': '10' },
        {
          ...created,
          headers: { ...open, 'Access-Control-Expose-Headers': listsOrAny('Location') },
        },
      ),
    ],
  },
  {
    id: 'may-read-head',
    from,
    says: 'A page may read all that tus answers.',
    steps: [
      begun('a', 10),
      send(
        'HEAD',
        '{a}',
        { ...version, ...page },
        {
          headers: { ...open, 'Access-Control-Expose-Headers': listsOrAny(...read) },
        },
      ),
    ],
  },
  {
    id: 'may-read-ietf',
    from,
    says: 'A page may read all that the IETF’s protocol answers.',
    needs: ['ietf'],
    steps: [
      begun('a', 10),
      send(
        'HEAD',
        '{a}',
        { ...version, ...page },
        {
          headers: { 'Access-Control-Expose-Headers': listsOrAny(...ietfRead) },
        },
      ),
    ],
  },
  {
    id: 'may-read-patch',
    from,
    says: 'A page may read the answer to a PATCH.',
    steps: [
      begun('a', 10),
      patch(
        'a',
        0,
        text('hello'),
        {
          status: 204,
          headers: { ...open, 'Access-Control-Expose-Headers': listsOrAny('Upload-Offset') },
        },
        page,
      ),
    ],
  },
  {
    id: 'error-409',
    from,
    says: 'A page may read that an offset is wrong.',
    steps: [
      ...filled('a', 10, 'hello'),
      patch('a', 3, text('x'), { status: 409, headers: open }, page),
    ],
  },
  {
    id: 'error-404',
    from,
    says: 'A page may read that an upload is not there.',
    steps: [
      begun('a', 10),
      send('HEAD', '{a}x', { ...version, ...page }, { status: '4xx', headers: open }),
    ],
  },
  {
    id: 'error-412',
    from,
    says: 'A page may read that its version is not spoken.',
    steps: [
      send(
        'POST',
        '{target}',
        { ...page, 'Tus-Resumable': '0.0.1', 'Upload-Length': '1' },
        {
          status: '4xx',
          headers: open,
        },
      ),
    ],
  },
  {
    id: 'error-400',
    from,
    says: 'A page may read that its request is bad.',
    steps: [post('a', page, { status: '4xx', headers: open })],
  },
  {
    id: 'error-gone',
    from,
    says: 'A page may read that an upload was removed.',
    needs: ['termination'],
    steps: [
      begun('a', 10),
      remove('a', { status: 204 }),
      {
        ...head('a', { status: '4xx', headers: open }),
        request: { method: 'HEAD', to: '{a}', headers: { ...version, ...page } },
      },
    ],
  },
]

export const tusCors = tusTable('tus-cors', ['creation'], rows)
