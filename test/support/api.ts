/** The parts of Landfall's API that the tests read, as a client sees them. */
import { createHash } from 'node:crypto'
import { waitFor } from './wait.ts'

export interface Failure {
  readonly code: string
  readonly message: string
}

export interface RenditionView {
  readonly preset: string
  readonly format: string
  readonly width: number
  readonly height: number
  readonly size: number
  readonly url: string
}

export interface ImageView {
  readonly id: string
  readonly state: 'processing' | 'ready' | 'failed'
  readonly error?: Failure
  readonly filename: string | null
  readonly contentType: string | null
  readonly format: string | null
  readonly size: number
  readonly width: number | null
  readonly height: number | null
  readonly sha256: string | null
  readonly thumbhash: string | null
  readonly color: string | null
  /** Null, as the file's name is, for those whose image it is not. */
  readonly contentUrl: string | null
  readonly renditions: readonly RenditionView[]
}

export interface UploadView {
  readonly id: string
  readonly state: 'receiving' | 'assembling' | 'stored' | 'failed'
  readonly length: number | null
  readonly offset: number
  readonly sha256: string | null
  readonly image: { readonly state: ImageView['state']; readonly error?: Failure } | null
}

export interface Page<T> {
  readonly items: readonly T[]
  readonly nextCursor: string | null
}

const conversionTimeoutMs = 120_000

export class Api {
  readonly #base: string

  constructor(server: { readonly url: string }) {
    this.#base = server.url
  }

  image(id: string): Promise<ImageView> {
    return this.#json(`/v1/images/${id}`)
  }

  upload(id: string): Promise<UploadView> {
    return this.#json(`/v1/uploads/${id}`)
  }

  images(): Promise<Page<ImageView>> {
    return this.#json('/v1/images')
  }

  uploads(): Promise<Page<UploadView>> {
    return this.#json('/v1/uploads')
  }

  /** The original's bytes. */
  content(id: string): Promise<Buffer> {
    return this.bytes(`/v1/uploads/${id}/content`)
  }

  /** The body of a path or URL of the API. */
  async bytes(url: string): Promise<Buffer> {
    return Buffer.from(await (await this.#get(url)).arrayBuffer())
  }

  /** Waits until the conversion is over, whichever way. */
  converted(id: string): Promise<ImageView> {
    const look = async () => {
      const image = await this.image(id)
      return image.state === 'processing' ? undefined : image
    }
    return waitFor(look, { timeoutMs: conversionTimeoutMs, what: `image ${id} to be converted` })
  }

  async #json<T>(path: string): Promise<T> {
    return (await (await this.#get(path)).json()) as T
  }

  async #get(path: string): Promise<Response> {
    const response = await fetch(new URL(path, this.#base))
    if (!response.ok) throw new Error(`GET ${path} was answered ${response.status}`)
    return response
  }
}

export function sha256Of(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}
