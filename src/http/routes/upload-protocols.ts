/**
 * What is answered at `/files`, for the OpenAPI document alone: the protocols answer there themselves
 * (`uploads/`), by their specifications, of which this says the most.
 */
import { type RouteConfig, z } from '@hono/zod-openapi'
import { problemSchema, problemType } from '../problem.ts'
import { empty, field, problem, requestField, secondsField } from '../responses.ts'
import { createRouter } from '../router.ts'
import { idParameter } from '../schemas.ts'

export interface UploadProtocolDependencies {
  readonly config: { readonly maxUploadSize: number }
}

const tags = ['Uploads']
const tus = 'https://tus.io/protocols/resumable-upload'
const ietf = 'https://datatracker.ietf.org/doc/draft-ietf-httpbis-resumable-upload/'

const dialect = `In the words of [tus 1.0](${tus}) with \`Tus-Resumable: 1.0.0\`, or of the [resumable uploads of the IETF](${ietf}) with \`Upload-Complete\` or \`Upload-Draft-Interop-Version\`.`

const octets = {
  description: 'Bytes of the file; the type is that of the protocol, or of the file.',
  content: {
    'application/offset+octet-stream': { schema: {} },
    'application/partial-upload': { schema: {} },
    '*/*': { schema: {} },
  },
}

/** To tus a line of text, to the IETF a problem document. */
function refusal(
  description: string,
  headers?: Readonly<Record<string, ReturnType<typeof field | typeof secondsField>>>,
) {
  const content = { [problemType]: { schema: problemSchema }, 'text/plain': { schema: z.string() } }
  return { description, content, ...(headers && { headers }) }
}

const retryAfter = { 'Retry-After': secondsField('Seconds after which to try again.') }
const offset = { 'Upload-Offset': field('Bytes that are safe.') }
const expiry = { 'Upload-Expires': field('tus: until when it can go on, an HTTP date.') }
const completeness = { 'Upload-Complete': field('IETF: `?1` once all bytes are there.') }
const limit = { 'Upload-Limit': field('IETF: what can be sent, and for how long.') }

const refusals = {
  400: refusal('A field is missing, malformed, or contradicts another one'),
  412: refusal('`Tus-Resumable` is another version, or no protocol was named'),
  503: refusal('It passes', retryAfter),
  default: refusal('Any other error'),
}
const unbelieved = refusal('A token that cannot be believed or has expired')
const ofOne = {
  401: unbelieved,
  404: refusal('There is no such upload, or it is not yours'),
  410: refusal('It expired, or it failed'),
  423: refusal('Another request has it, or it is being put together', retryAfter),
}
const ofBytes = {
  413: refusal('More bytes than were announced, or than are taken'),
  415: refusal('`Content-Type` is not the one of the protocol'),
  460: refusal('tus: the bytes are not those of `Upload-Checksum`'),
  507: refusal('The disk is full; what arrived stays'),
}

const protocolFields = [
  requestField('Tus-Resumable', 'tus: the version.', '1.0.0'),
  requestField('Upload-Draft-Interop-Version', 'IETF: the draft, 3 to 10.', '6'),
]
const byteFields = [
  requestField('Upload-Complete', 'IETF: whether this is the last of the file.', '?1'),
  requestField(
    'Upload-Checksum',
    'tus: of the bytes of this request.',
    'sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=',
  ),
  requestField('Content-Digest', 'IETF: of the bytes of this request (RFC 9530).'),
]

const lengthField = (description: string, maximum: number) => ({
  name: 'Upload-Length',
  in: 'header' as const,
  description,
  schema: { type: 'integer' as const, minimum: 0, maximum },
})

const create = (maxUploadSize: number): RouteConfig => ({
  method: 'post',
  path: '/files',
  operationId: 'createUpload',
  tags,
  summary: 'Begin an upload, with bytes or without, or put one together of others',
  description: `${dialect} Uploads have at most ${maxUploadSize} bytes.`,
  parameters: [
    ...protocolFields,
    lengthField('All bytes of the file.', maxUploadSize),
    requestField('Upload-Defer-Length', 'tus: 1, when the length is not known yet.', '1'),
    requestField('Upload-Metadata', 'tus: `filename` and `filetype`, in Base64.'),
    requestField('Upload-Concat', 'tus: `partial`, or `final;` and the URLs of the parts.'),
    ...byteFields,
    requestField('Repr-Digest', 'IETF: of the whole file.'),
    requestField('Want-Repr-Digest', 'IETF: asks for the digest of the whole file.'),
    requestField('Content-Disposition', 'IETF: the name of the file.'),
  ],
  request: { body: octets },
  responses: {
    201: {
      ...empty('It is begun'),
      headers: {
        Location: field('Where it goes on; its last segment is the id.'),
        ...offset,
        ...expiry,
        ...completeness,
        ...limit,
      },
    },
    ...refusals,
    401: refusal('No token, or one that cannot be believed or has expired'),
    404: refusal('tus: a part that is named does not exist'),
    423: ofOne[423],
    ...ofBytes,
    429: refusal('Too many uploads are begun or unfinished', retryAfter),
  },
})

const head: RouteConfig = {
  method: 'head',
  path: '/files/{id}',
  operationId: 'getUploadOffset',
  tags,
  summary: 'Where an upload stands',
  description: `${dialect} Ends another request that is still sending. To look on without a say use \`GET /v1/uploads/{id}\`.`,
  parameters: protocolFields,
  request: { params: idParameter },
  responses: {
    200: {
      ...empty('tus: where it stands'),
      headers: {
        ...offset,
        'Upload-Length': field('All bytes, once that is known.'),
        'Upload-Defer-Length': field('1 while the length is not known.'),
        'Upload-Metadata': field('As it was sent.'),
        'Upload-Concat': field('As it was sent.'),
        ...expiry,
      },
    },
    204: {
      ...empty('IETF: where it stands'),
      headers: { ...offset, ...completeness, 'Upload-Length': field('All bytes.'), ...limit },
    },
    ...headOnly({ ...refusals, ...ofOne }),
  },
}

const append = (maxUploadSize: number): RouteConfig => ({
  method: 'patch',
  path: '/files/{id}',
  operationId: 'appendToUpload',
  tags,
  summary: 'Send more bytes, from where it stands',
  description: dialect,
  parameters: [
    ...protocolFields,
    {
      name: 'Upload-Offset',
      in: 'header',
      required: true,
      description: 'Where these bytes begin: where the upload stands.',
      schema: { type: 'integer', minimum: 0, maximum: maxUploadSize },
    },
    lengthField('All bytes, when that was not known before.', maxUploadSize),
    ...byteFields,
  ],
  request: { params: idParameter, body: octets },
  responses: {
    201: {
      ...empty('IETF: they are safe; the file is complete, in later drafts'),
      headers: { ...offset, ...completeness, Location: field('The upload.') },
    },
    204: {
      ...empty('They are safe'),
      headers: { ...offset, ...expiry, ...completeness },
    },
    ...refusals,
    ...ofOne,
    403: refusal('tus: it is made of others, and takes no bytes'),
    409: refusal('It stands elsewhere', offset),
    ...ofBytes,
  },
})

const remove: RouteConfig = {
  method: 'delete',
  path: '/files/{id}',
  operationId: 'deleteUpload',
  tags,
  summary: 'Remove an upload and all that was made of it',
  description: dialect,
  parameters: protocolFields,
  request: { params: idParameter },
  responses: { 204: empty('Removed'), ...refusals, ...ofOne },
}

const follow: RouteConfig = {
  method: 'get',
  path: '/files/{id}',
  operationId: 'followUpload',
  tags,
  summary: 'Go to the bytes of an upload',
  description:
    'With `Upload-Draft-Interop-Version` it is answered as HEAD is, as the IETF drafts want it.',
  parameters: [requestField('Upload-Draft-Interop-Version', 'IETF: the draft, 3 to 10.')],
  request: { params: z.object({ id: z.string() }) },
  responses: {
    204: { ...empty('IETF: where it stands'), headers: { ...offset, ...completeness } },
    307: { ...empty('The bytes are there'), headers: { Location: field('The content.') } },
    401: unbelieved,
    404: problem('IETF: there is no such upload'),
  },
}

/** Routes that are described only. */
export function uploadProtocols({ config: { maxUploadSize } }: UploadProtocolDependencies) {
  const app = createRouter()
  for (const route of [create(maxUploadSize), head, append(maxUploadSize), remove, follow]) {
    app.openAPIRegistry.registerPath(route)
  }
  return app
}

/** The same answers without content. */
function headOnly<S extends number | string>(
  answers: Readonly<Record<S, ReturnType<typeof refusal>>>,
) {
  return Object.fromEntries(
    Object.entries<ReturnType<typeof refusal>>(answers).map(([status, { content: _, ...rest }]) => [
      status,
      rest,
    ]),
  )
}
