/** tus 1.0.0, "Creation". */
import { absent, lists, matches } from '../engine/matchers.ts'
import { convention, must, type Row, should } from '../engine/row.ts'
import {
  begun,
  created,
  each,
  head,
  holds,
  options,
  patch,
  post,
  send,
  stands,
  text,
  tusTable,
  version,
  whole,
} from './tus-steps.ts'

const base64 = (value: string) => Buffer.from(value).toString('base64')

const echoed = (id: string, metadata: string, says: string): Row => ({
  id: `metadata-echo ${id}`,
  from: must('Creation/POST'),
  says,
  steps: [
    begun('a', 10, { 'Upload-Metadata': metadata }),
    head('a', { headers: { 'Upload-Metadata': metadata } }),
  ],
})

const creationRows: Row[] = [
  {
    id: 'implemented',
    from: should('Creation'),
    says: 'The extension is there.',
    steps: [options({ headers: { 'Tus-Extension': lists('creation') } })],
  },
  {
    id: 'advertised',
    from: must('Creation'),
    says: 'OPTIONS lists the extension.',
    steps: [begun('a', 10), options({ headers: { 'Tus-Extension': lists('creation') } })],
  },
  {
    id: 'created',
    from: must('Creation/POST'),
    says: 'A creation is answered 201.',
    steps: [post('a', { 'Upload-Length': '10' }, { status: 201 })],
  },
  {
    id: 'location',
    from: must('Creation/POST'),
    says: 'Location is the URL of the new upload, absolute or relative; it begins at 0.',
    steps: [
      post('a', { 'Upload-Length': '10' }, { headers: { Location: matches(/^\S+$/, 'a URL') } }),
      head('a', { status: [200, 204], headers: { 'Upload-Offset': '0', 'Upload-Length': '10' } }),
    ],
  },
  {
    id: 'empty',
    from: must('Creation/POST'),
    says: 'An upload of length 0 is complete at once.',
    steps: [
      begun('a', 0),
      head('a', { headers: { 'Upload-Offset': '0', 'Upload-Length': '0' } }),
      holds('a', ''),
    ],
  },
  {
    id: 'too-long',
    from: must('Creation/POST'),
    says: 'A length above the maximum is answered 413.',
    needs: ['max-size'],
    steps: [
      post(
        'a',
        { 'Upload-Length': '{max-size+1}' },
        { status: 413, headers: { Location: absent } },
      ),
    ],
  },
  {
    id: 'longest',
    from: convention('Creation/POST'),
    says: 'The maximum itself is not too long.',
    needs: ['max-size'],
    steps: [post('a', { 'Upload-Length': '{max-size}' }, created)],
  },
  {
    id: 'no-length',
    from: convention('Creation/POST'),
    says: 'A creation that tells neither a length nor that it comes later is 400.',
    steps: [post('a', {}, { status: 400, headers: { Location: absent } })],
  },
  ...each(['-1', '+1', '1.0', '1e1', '0x10', 'ten', '', '99999999999999999999999'], (length) => ({
    id: `bad-length ${length || 'empty'}`,
    from: convention('Core/Upload-Length'),
    says: `A length of "${length}" is answered ${length.length > 20 ? '4xx' : 400}.`,
    steps: [
      post(
        'a',
        { 'Upload-Length': length },
        {
          status: length.length > 20 ? '4xx' : 400,
          headers: { Location: absent },
        },
      ),
    ],
  })),
  {
    id: 'two-creations',
    from: convention('Creation/POST'),
    says: 'Two creations make two uploads.',
    steps: [...whole('a', 'one'), ...whole('b', 'other'), stands('a', 3), holds('b', 'other')],
  },
]

const metadataRows: Row[] = [
  echoed('pair', `filename ${base64('world.pdf')}`, 'HEAD tells the metadata of the creation.'),
  echoed(
    'pairs',
    `filename ${base64('a b.pdf')},kind ${base64('x')},secret`,
    'HEAD tells several pairs of metadata, also one without a value, as they came.',
  ),
  echoed('no-value', 'is_confidential', 'HEAD tells a key without a value as it came.'),
  echoed('empty-value', `is_confidential ,b ${base64('x')}`, 'An empty value keeps its space.'),
  echoed('binary', `filename ${base64('文件 🏔.jpg')},raw AAECAwT/`, 'Any bytes may be a value.'),
  echoed('order', `b ${base64('1')},a ${base64('2')}`, 'Pairs stay in their order.'),
  {
    id: 'metadata-kept',
    from: must('Creation/POST'),
    says: 'HEAD tells the metadata also of an upload that is complete.',
    steps: [
      begun('a', 0, { 'Upload-Metadata': `filename ${base64('a.txt')}` }),
      head('a', { headers: { 'Upload-Metadata': `filename ${base64('a.txt')}` } }),
    ],
  },
  {
    id: 'metadata-none',
    from: convention('Creation/POST'),
    says: 'HEAD tells no metadata when there was none.',
    steps: [begun('a', 10), head('a', { headers: { 'Upload-Metadata': absent } })],
  },
  {
    id: 'metadata-smuggling',
    from: should('Creation/Upload-Metadata'),
    says: 'Values that hold line ends make no headers.',
    steps: [
      begun('a', 5, {
        'Upload-Metadata': ['filename', 'name', 'filetype', 'type', 'contentType']
          .map((key) => `${key} ${base64('a\r\nX-Smuggled: yes\r\n')}`)
          .join(','),
      }),
      patch('a', 0, text('hello')),
      head('a', { headers: { 'X-Smuggled': absent } }),
      send('GET', '{a}', {}, { orClosed: true, headers: { 'X-Smuggled': absent } }),
    ],
  },
  ...each(
    [
      ['not base64', 'filename $$$'],
      ['two values', 'filename YQ== Yg=='],
      ['a key twice', 'filename YQ==,filename Yg=='],
      ['an empty pair', 'filename YQ==,,b Yg=='],
    ],
    ([what = '', metadata = '']) => ({
      id: `metadata-bad ${what}`,
      from: convention('Creation/Upload-Metadata'),
      says: `Metadata with ${what} is answered 400.`,
      steps: [
        post(
          'a',
          { 'Upload-Length': '10', 'Upload-Metadata': metadata },
          {
            status: 400,
            headers: { Location: absent },
          },
        ),
      ],
    }),
  ),
  {
    id: 'forwarded',
    from: convention('Creation/POST'),
    says: 'What a chain of proxies adds is no reason to refuse a creation.',
    steps: [
      send(
        'POST',
        '{target}',
        {
          ...version,
          'Upload-Length': '10',
          'X-Forwarded-Proto': 'https, http',
          'X-Forwarded-Host': 'files.example, 10.0.0.1',
          Forwarded: 'for=192.0.2.1;proto=https, for=10.0.0.1',
        },
        created,
      ),
    ],
  },
  {
    id: 'query',
    from: convention('Creation/POST'),
    says: 'A query at the target changes nothing.',
    steps: [
      send('POST', '{target}?from=here', { ...version, 'Upload-Length': '10' }, created, {
        as: 'a',
      }),
      stands('a', 0),
    ],
  },
]

export const tusCreation = tusTable(
  'tus-creation',
  ['creation'],
  [...creationRows, ...metadataRows],
)
