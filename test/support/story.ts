/** A flow told in steps, by people who use a running server. */
import type { ImageView, Page } from './api.ts'
import { waitFor } from './wait.ts'

export interface AuthorView {
  readonly id: string
  readonly avatarUrl: string
}

export interface CommentView {
  readonly id: string
  readonly postId: string
  readonly author: AuthorView
  readonly text: string
}

export interface PostView {
  readonly id: string
  readonly author: AuthorView
  readonly caption: string
  readonly image: Pick<ImageView, 'id' | 'state' | 'error' | 'width' | 'height' | 'renditions'>
  readonly commentCount: number
  readonly comments: readonly CommentView[]
}

export interface UploadLinkView {
  readonly id: string
  readonly method: 'PUT'
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly expiresAt: string
  readonly imageUrl: string
}

export interface Answer<T> {
  readonly status: number
  readonly headers: Headers
  /** What the JSON says; undefined for an answer that is something else. */
  readonly body: T
  readonly bytes: Buffer
}

export interface Problem {
  readonly code: string
}

export interface AskOptions {
  readonly json?: unknown
  readonly body?: Buffer | FormData
  readonly headers?: Readonly<Record<string, string>>
}

/** Runs one step; what goes wrong in it is told with its name. */
export async function step<T>(name: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    if (error instanceof Error) error.message = `in the step "${name}": ${error.message}`
    throw error
  }
}

/** Somebody who asks a server for things, with a token or without. */
export class Person {
  readonly #base: string
  readonly #authorization: Readonly<Record<string, string>>

  constructor(server: { readonly url: string }, token?: string) {
    this.#base = server.url
    this.#authorization = token === undefined ? {} : { Authorization: `Bearer ${token}` }
  }

  /** Sends a request, and reads all of the answer, whatever it is. */
  async ask<T = unknown>(
    method: string,
    path: string,
    { json, body, headers }: AskOptions = {},
  ): Promise<Answer<T>> {
    const content = json === undefined ? body : JSON.stringify(json)
    const response = await fetch(new URL(path, this.#base), {
      method,
      redirect: 'manual',
      headers: {
        ...this.#authorization,
        ...(json !== undefined && { 'Content-Type': 'application/json' }),
        ...headers,
      },
      ...(content !== undefined && {
        body: content instanceof Buffer ? new Uint8Array(content) : content,
      }),
    })
    const bytes = Buffer.from(await response.arrayBuffer())
    const isJson = /\bjson\b/.test(response.headers.get('Content-Type') ?? '')
    const parsed = isJson && bytes.length > 0 ? JSON.parse(bytes.toString()) : undefined
    return { status: response.status, headers: response.headers, body: parsed as T, bytes }
  }

  /** @throws when it is not there. */
  async read<T>(path: string): Promise<T> {
    const { status, body } = await this.ask<T>('GET', path)
    if (status !== 200) throw new Error(`GET ${path} was answered ${status}`)
    return body
  }

  /** Posts a picture as a web page's form does. */
  sendForm(
    picture: Buffer,
    { filename = 'photo.jpg', query = '' } = {},
  ): Promise<Answer<ImageView>> {
    const form = new FormData()
    form.append('file', new File([new Uint8Array(picture)], filename, { type: 'image/jpeg' }))
    return this.ask('POST', `/v1/images${query}`, { body: form })
  }

  post(imageId: string, caption: string): Promise<Answer<PostView>> {
    return this.ask('POST', '/v1/posts', { json: { imageId, caption } })
  }

  posts(query = ''): Promise<Page<PostView>> {
    return this.read(`/v1/posts${query}`)
  }

  comment(postId: string, text: string): Promise<Answer<CommentView>> {
    return this.ask('POST', `/v1/posts/${postId}/comments`, { json: { text } })
  }

  /** Looks until the conversion of an image is over, whichever way. */
  converted(id: string): Promise<ImageView> {
    const look = async () => {
      const image = await this.read<ImageView>(`/v1/images/${id}`)
      return image.state !== 'processing' && image
    }
    return waitFor(look, { timeoutMs: 120_000, what: `image ${id} to be converted` })
  }
}
