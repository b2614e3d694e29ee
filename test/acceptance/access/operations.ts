import { randomUUID } from 'node:crypto'
import type { Condition } from './expectation.ts'
import {
  avatar,
  bytes,
  comment,
  content,
  doneJob,
  json,
  linked,
  post,
  rendition,
  type Stage,
  type Subject,
  shown,
  stored,
  tus,
  unfinished,
  uploadLink,
  usedLink,
} from './subjects.ts'

type Make = (stage: Stage) => Promise<Subject>

/** How one operation is asked for. A route that is added needs an entry here. */
export interface Entry {
  /** Makes what it is about, and returns what the path has in its braces. */
  readonly make?: Make
  /** As `make`, for uploads that are not finished. */
  readonly begin?: Make
  /** As `make`, for images that their owner has shown. */
  readonly show?: Make
  /** What the path has in its braces of what there is not; one id when left out. */
  readonly missing?: Subject
  /** Whether what it is about is another thing afterwards, so that each asks about one of its own. */
  readonly changes?: boolean
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | ((subject: Subject) => string)
  /** The answers to who is let in; those of success when left out. */
  readonly answers?: readonly number[]
}

const upload = { make: stored, begin: unfinished }
const text = JSON.stringify({ text: 'Nice' })

export const entries: Readonly<Record<string, Entry>> = {
  'POST /files': { headers: { ...tus, 'Upload-Length': '5' } },
  'HEAD /files/{id}': { ...upload, headers: tus },
  'PATCH /files/{id}': {
    ...upload,
    changes: true,
    headers: { ...tus, ...bytes, 'Upload-Offset': '0' },
    body: '0',
    // Where it is stored already.
    answers: [204, 409],
  },
  'DELETE /files/{id}': { ...upload, changes: true, headers: tus },
  'GET /files/{id}': { ...upload, answers: [307] },

  'GET /healthz': {},
  'GET /readyz': {},
  'GET /v1/config': {},

  'GET /v1/uploads': {},
  'GET /v1/uploads/{id}': upload,
  'GET /v1/uploads/{id}/content': { make: content, show: shown(stored) },

  'GET /v1/images': {},
  'POST /v1/images': { headers: { 'Content-Type': 'image/jpeg' }, body: 'no image either' },
  'GET /v1/images/{id}': { make: stored, show: shown(stored) },
  'DELETE /v1/images/{id}': { make: stored, show: shown(stored), changes: true },
  'GET /v1/images/{id}/{preset}': {
    make: rendition,
    show: shown(rendition),
    missing: { id: randomUUID(), preset: 'thumb' },
  },

  'POST /v1/upload-links': { headers: json, body: JSON.stringify({ size: linked.length }) },
  'PUT /v1/upload-links/{id}/content': { make: uploadLink, changes: true, body: linked },
  'POST /v1/upload-links/{id}/complete': { make: usedLink },
  'POST /v1/storage-events': { headers: json, body: '{}' },

  'GET /v1/posts': {},
  // To whoever may post at all, the image of somebody else does not exist.
  'POST /v1/posts': {
    make: stored,
    headers: json,
    body: ({ id }) => JSON.stringify({ imageId: id, caption: '' }),
    answers: [201, 404],
  },
  'GET /v1/posts/{id}': { make: post },
  'DELETE /v1/posts/{id}': { make: post, changes: true },
  'GET /v1/posts/{id}/comments': { make: post },
  'POST /v1/posts/{id}/comments': { make: post, headers: json, body: text },
  'DELETE /v1/comments/{id}': { make: comment, changes: true },

  // Before it is taken away.
  'GET /v1/users/{id}/avatar': { make: avatar, missing: { id: 'nobody at all' } },
  'PUT /v1/me/avatar': {
    make: stored,
    headers: json,
    body: ({ id }) => JSON.stringify({ imageId: id }),
    answers: [200, 404],
  },
  'DELETE /v1/me/avatar': {},

  'GET /v1/admin/jobs': {},
  'GET /v1/admin/jobs/{id}': { make: doneJob },
  'POST /v1/admin/jobs/retry': { headers: json, body: '{"kind":"image.convert"}' },
  // It is not dead.
  'POST /v1/admin/jobs/{id}/retry': { make: doneJob, answers: [409] },
  'DELETE /v1/admin/jobs/{id}': { make: doneJob, changes: true },
}

/** What an entry can be asked about. */
export function conditionsOf(operation: string, { begin, show }: Entry): readonly Condition[] {
  if (!operation.includes('{')) return ['there']
  return [
    'there',
    ...(begin ? ['unfinished' as const] : []),
    ...(show ? ['shown' as const] : []),
    'missing',
  ]
}

/** Makes what an entry is asked about. */
export async function makeSubject(
  { make, begin, show, missing = { id: randomUUID() } }: Entry,
  stage: Stage,
  condition: Condition,
): Promise<Subject> {
  if (condition === 'missing') return missing
  const of = { there: make, unfinished: begin, shown: show }
  return (await of[condition]?.(stage)) ?? {}
}

/** Asks for an operation. @param query of a link, or nothing. @returns the status. */
export async function ask(
  stage: Stage,
  operation: string,
  { headers, body }: Entry,
  subject: Subject,
  { authorization, query }: { authorization: Readonly<Record<string, string>>; query: string },
): Promise<number> {
  const [method = '', path = ''] = operation.split(' ')
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(subject[name] ?? ''),
  )
  const sent = typeof body === 'function' ? body(subject) : body
  const response = await fetch(stage.url + filled + query, {
    method,
    redirect: 'manual',
    headers: { ...headers, ...authorization },
    ...(sent !== undefined && { body: sent }),
  })
  await response.body?.cancel()
  return response.status
}
