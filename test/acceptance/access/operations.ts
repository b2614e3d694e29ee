import { randomUUID } from 'node:crypto'
import { bearer } from '../../support/tokens.ts'
import { waitFor } from '../../support/wait.ts'
import type { Condition } from './expectation.ts'

/** The server, and how the owner and an admin ask it. */
export interface Stage {
  readonly url: string
  readonly owner: string
  readonly admin: string
}

/** How one operation is asked for. A route that is added needs an entry here. */
export interface Entry {
  /** Makes what it is about, and returns what the path has in its braces. */
  readonly make?: (stage: Stage) => Promise<Readonly<Record<string, string>>>
  /** As `make`, for uploads that are not finished. */
  readonly begin?: (stage: Stage) => Promise<Readonly<Record<string, string>>>
  /** What the path has in its braces of what there is not; one id when left out. */
  readonly missing?: Readonly<Record<string, string>>
  /** Whether what it is about is another thing afterwards, so that each asks about one of its own. */
  readonly changes?: boolean
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** The answers to who is let in; those of success when left out. */
  readonly answers?: readonly number[]
}

const tus = { 'Tus-Resumable': '1.0.0' }
const bytes = { 'Content-Type': 'application/offset+octet-stream' }
const json = { 'Content-Type': 'application/json' }
const anything = 'no image at all'

async function begin({ url, owner }: Stage, body?: string): Promise<{ id: string }> {
  const response = await fetch(`${url}/files`, {
    method: 'POST',
    headers: {
      ...tus,
      ...bearer(owner),
      ...(body !== undefined && bytes),
      'Upload-Length': String(anything.length),
    },
    ...(body !== undefined && { body }),
  })
  if (response.status !== 201) throw new Error(`an upload was answered ${response.status}`)
  return { id: response.headers.get('Location')?.split('/').at(-1) ?? '' }
}

const stored = (stage: Stage) => begin(stage, anything)
const unfinished = (stage: Stage) => begin(stage)

/** The job that looks at an upload which came in two requests, once that is over. */
async function doneJob(stage: Stage): Promise<{ id: string }> {
  const { id } = await begin(stage, anything.slice(0, 5))
  await fetch(`${stage.url}/files/${id}`, {
    method: 'PATCH',
    headers: { ...tus, ...bytes, ...bearer(stage.owner), 'Upload-Offset': '5' },
    body: anything.slice(5),
  })
  const find = async () => {
    const headers = bearer(stage.admin)
    const response = await fetch(`${stage.url}/v1/admin/jobs?limit=100`, { headers })
    const { items } = (await response.json()) as {
      items: { id: string; state: string; payload: unknown }[]
    }
    return items.find((job) => job.state === 'done' && JSON.stringify(job.payload).includes(id))
  }
  return { id: (await waitFor(find, { what: 'a job to be done' })).id }
}

const upload = { make: stored, begin: unfinished }

/** At the upload path, of which the description of the API says nothing, with who may do it. */
export const uploadOperations: Readonly<Record<string, readonly string[]>> = {
  'POST /files': ['user'],
  'HEAD /files/{id}': ['owner', 'holder', 'admin'],
  'PATCH /files/{id}': ['owner', 'holder', 'admin'],
  'DELETE /files/{id}': ['owner', 'holder', 'admin'],
  'GET /files/{id}': ['anyone'],
}

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
  'GET /v1/uploads/{id}/content': { make: stored },

  'GET /v1/images': {},
  'GET /v1/images/{id}': { make: stored },
  'DELETE /v1/images/{id}': { make: stored, changes: true },
  'GET /v1/images/{id}/{preset}': {
    make: async (stage) => ({ ...(await stored(stage)), preset: 'thumb' }),
    missing: { id: randomUUID(), preset: 'thumb' },
    // It is none.
    answers: [422],
  },

  'GET /v1/admin/jobs': {},
  'GET /v1/admin/jobs/{id}': { make: doneJob },
  'POST /v1/admin/jobs/retry': { headers: json, body: '{"kind":"image.convert"}' },
  // It is not dead.
  'POST /v1/admin/jobs/{id}/retry': { make: doneJob, answers: [409] },
  'DELETE /v1/admin/jobs/{id}': { make: doneJob, changes: true },
}

/** What an entry can be asked about. */
export function conditionsOf(operation: string, entry: Entry): readonly Condition[] {
  if (!operation.includes('{')) return ['there']
  return entry.begin ? ['there', 'unfinished', 'missing'] : ['there', 'missing']
}

/** Asks for an operation. @returns the status. */
export async function ask(
  stage: Stage,
  operation: string,
  entry: Entry,
  subject: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>>,
): Promise<number> {
  const [method = '', path = ''] = operation.split(' ')
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(subject[name] ?? ''),
  )
  const response = await fetch(stage.url + filled, {
    method,
    redirect: 'manual',
    headers: { ...entry.headers, ...headers },
    ...(entry.body !== undefined && { body: entry.body }),
  })
  await response.body?.cancel()
  return response.status
}
