/** Makes what operations are about: whatever it is, it is the owner's. */
import { makePhoto } from '../../support/photo.ts'
import type { UploadLinkView } from '../../support/story.ts'
import { bearer } from '../../support/tokens.ts'
import { putByLink } from '../../support/upload-link.ts'
import { waitFor } from '../../support/wait.ts'

/** The server, and how the owner and an admin ask it. */
export interface Stage {
  readonly url: string
  readonly owner: string
  readonly admin: string
}

/** What a path has in its braces, and as `link` the query of a URL of it that the server signed. */
export type Subject = Readonly<Record<string, string>>

export const tus = { 'Tus-Resumable': '1.0.0' }
export const bytes = { 'Content-Type': 'application/offset+octet-stream' }
export const json = { 'Content-Type': 'application/json' }
const anything = 'no image at all'

/** The bytes of an upload by link. */
export const linked = 'abc'

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

/** Asks as the owner, in JSON. @throws when it is refused. */
async function own<T>({ url, owner }: Stage, method: string, path: string, body?: unknown) {
  const response = await fetch(url + path, {
    method,
    headers: { ...bearer(owner), ...(body !== undefined && json) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  if (!response.ok) throw new Error(`${method} ${path} was answered ${response.status}`)
  return (await response.json()) as T
}

/** An upload that is no image. */
export const stored = (stage: Stage): Promise<{ id: string }> => begin(stage, anything)
export const unfinished = (stage: Stage): Promise<{ id: string }> => begin(stage)

/** An upload with a link to its bytes. */
export async function content(stage: Stage): Promise<Subject> {
  const { id } = await stored(stage)
  const { contentUrl } = await own<{ contentUrl: string }>(stage, 'GET', `/v1/images/${id}`)
  return { id, link: queryOf(contentUrl) }
}

interface Converted {
  readonly id: string
  readonly renditions: readonly { readonly url: string }[]
}

/** An image that was converted. */
async function picture({ url, owner }: Stage): Promise<Converted> {
  const body = new Uint8Array(await makePhoto({ width: 64, height: 48 }))
  const headers = { ...bearer(owner), 'Content-Type': 'image/jpeg' }
  const init = { method: 'POST', headers, body }
  const image = (await (await fetch(`${url}/v1/images?wait=60`, init)).json()) as Converted
  if (!image.renditions?.length) throw new Error(`an image became ${JSON.stringify(image)}`)
  return image
}

/** A rendition with a link to it. */
export async function rendition(stage: Stage): Promise<Subject> {
  const { id, renditions } = await picture(stage)
  const { pathname, search } = new URL(renditions[0]?.url ?? '', stage.url)
  return { id, preset: pathname.split('/').at(-1) ?? '', link: search }
}

/** What is made with `make`, of an image that is in a post. */
export function shown(make: (stage: Stage) => Promise<Subject>) {
  return async (stage: Stage): Promise<Subject> => {
    const { link: _, ...subject } = await make(stage)
    await own(stage, 'POST', '/v1/posts', { imageId: subject.id, caption: '' })
    return subject
  }
}

export async function post(stage: Stage): Promise<Subject> {
  const { id: imageId } = await stored(stage)
  const { id } = await own<{ id: string }>(stage, 'POST', '/v1/posts', { imageId, caption: '' })
  return { id }
}

export async function comment(stage: Stage): Promise<Subject> {
  const path = `/v1/posts/${(await post(stage)).id}/comments`
  const { id } = await own<{ id: string }>(stage, 'POST', path, { text: 'Nice' })
  return { id }
}

/** The owner's picture, with a link to it. */
export async function avatar(stage: Stage): Promise<Subject> {
  const { id: imageId } = await picture(stage)
  const set = await own<{ userId: string; url: string }>(stage, 'PUT', '/v1/me/avatar', { imageId })
  return { id: set.userId, link: queryOf(set.url) }
}

const beginLink = (stage: Stage) =>
  own<UploadLinkView>(stage, 'POST', '/v1/upload-links', { size: linked.length })

/** An upload link, which leads to this server only where there is no bucket. */
export async function uploadLink(stage: Stage): Promise<Subject> {
  const { id, url } = await beginLink(stage)
  const isOwn = new URL(url, stage.url).origin === new URL(stage.url).origin
  return { id, ...(isOwn && { link: queryOf(url) }) }
}

/** An upload link whose bytes were sent. */
export async function usedLink(stage: Stage): Promise<Subject> {
  const link = await beginLink(stage)
  await putByLink(stage, link, Buffer.from(linked))
  return { id: link.id }
}

/** The job that looks at an upload which came in two requests, once that is over. */
export async function doneJob(stage: Stage): Promise<Subject> {
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

function queryOf(url: string): string {
  const { search } = new URL(url, 'http://server')
  if (!search.includes('signature=')) throw new Error(`${url} is no link`)
  return search
}
