import { expect } from 'vitest'
import { contentOf } from '../../support/storage.ts'
import { type Answer, Client } from './client.ts'
import type { Landfall } from './landfall.ts'
import { type Concatenation, type Partial, requestsOf } from './partials.ts'

const tus = { 'Tus-Resumable': '1.0.0' }
const bytesType = { 'Content-Type': 'application/offset+octet-stream' }

interface Sent {
  readonly path: string
  readonly partial: Partial
  readonly content: Buffer
  /** Bytes the server has. */
  offset: number
  /** Those of the requests to come. */
  readonly requests: Buffer[]
}

/** Has uploads made of others, and compares what comes of it with what has to. */
export class ConcatenationSession implements Disposable {
  readonly #landfall: Landfall
  readonly #client: Client

  constructor(landfall: Landfall) {
    this.#landfall = landfall
    this.#client = new Client(landfall.url)
  }

  async run({ partials, order, isAbsolute }: Concatenation): Promise<void> {
    const sent: Sent[] = []
    for (const partial of partials) sent.push(await this.#begin(partial))
    const sources = order.map((number) => sent[number % sent.length] ?? never())
    for (const each of sources) if (each.partial.isEarly) await this.#complete(each)
    const prefix = isAbsolute ? this.#landfall.url : ''
    const concat = `final;${sources.map(({ path }) => prefix + path).join(' ')}`
    const path = await this.#makeFinal(concat)
    for (const each of [...sources].reverse()) await this.#complete(each)
    await this.#landfall.reconcile()
    const content = Buffer.concat(sources.map((source) => source.content))
    await this.#expectFinal(path, concat, content)
    expect(await this.#makeFinal(concat), 'the same one').toBe(path)
    expect((await this.#post(`${concat} ${sources[0]?.path}`)).status).toBe(400)
    await this.#expectSources(sources)
    await this.#removeAll(path, sources)
  }

  [Symbol.dispose](): void {
    this.#client[Symbol.dispose]()
  }

  async #begin(partial: Partial): Promise<Sent> {
    const content = contentOf(partial.size, partial.seed)
    const [body = Buffer.alloc(0), ...requests] = requestsOf(partial, content)
    const length = { 'Upload-Length': String(content.length) }
    const { status, headers } = await this.#client.ask({
      method: 'POST',
      path: '/files',
      headers: {
        ...tus,
        'Upload-Concat': 'partial',
        ...(partial.isDeferred ? { 'Upload-Defer-Length': '1' } : length),
        ...(body.length > 0 && bytesType),
      },
      ...(body.length > 0 && { body }),
    })
    expect(status, 'the status of a partial creation').toBe(201)
    return { path: headers.location ?? '', partial, content, offset: body.length, requests }
  }

  async #complete(sent: Sent): Promise<void> {
    const { path, content, requests, partial } = sent
    // One whose length nobody told is complete when that is told.
    if (requests.length === 0 && partial.isDeferred && sent.offset === content.length) {
      requests.push(Buffer.alloc(0))
    }
    for (const body of requests.splice(0)) {
      const isLast = sent.offset + body.length === content.length
      const tells = partial.isDeferred && isLast
      const headers = {
        ...tus,
        ...bytesType,
        'Upload-Offset': String(sent.offset),
        ...(tells && { 'Upload-Length': String(content.length) }),
      }
      const { status } = await this.#client.ask({ method: 'PATCH', path, headers, body })
      expect(status, 'the status of an append').toBe(204)
      sent.offset += body.length
    }
  }

  #post(concat: string): Promise<Answer> {
    const headers = { ...tus, 'Upload-Concat': concat }
    return this.#client.ask({ method: 'POST', path: '/files', headers })
  }

  async #makeFinal(concat: string): Promise<string> {
    const { status, headers } = await this.#post(concat)
    expect(status, 'the status of a concatenation').toBe(201)
    return headers.location ?? ''
  }

  #head(path: string): Promise<Answer> {
    return this.#client.ask({ method: 'HEAD', path, headers: tus })
  }

  async #expectFinal(path: string, concat: string, content: Buffer): Promise<void> {
    const length = String(content.length)
    expect(await this.#head(path)).toMatchObject({
      status: 200,
      headers: { 'upload-offset': length, 'upload-length': length, 'upload-concat': concat },
    })
    const { headers } = await this.#client.ask({ method: 'GET', path })
    const answer = await this.#client.ask({ method: 'GET', path: headers.location ?? '' })
    expect(answer.status, 'the status of GET').toBe(200)
    expect(answer.body.equals(content), 'the bytes are those of the partial uploads').toBe(true)
    const patch = { ...tus, ...bytesType, 'Upload-Offset': length }
    const appended = await this.#client.ask({ method: 'PATCH', path, headers: patch })
    expect(appended.status, 'the status of an append').toBe(403)
  }

  /** They are told to be complete, though their bytes are elsewhere by now. */
  async #expectSources(sources: readonly Sent[]): Promise<void> {
    for (const { path, content } of sources) {
      const length = String(content.length)
      expect(await this.#head(path)).toMatchObject({
        status: 200,
        headers: { 'upload-offset': length, 'upload-length': length, 'upload-concat': 'partial' },
      })
    }
  }

  async #removeAll(path: string, sources: readonly Sent[]): Promise<void> {
    const remove = async (path: string) => {
      const { status } = await this.#client.ask({ method: 'DELETE', path, headers: tus })
      expect(status, 'the status of DELETE').toBe(204)
    }
    const kept = await this.#landfall.restInStorage()
    const id = path.split('/').at(-1) ?? ''
    for (const source of sources) {
      const sourceId = source.path.split('/').at(-1) ?? ''
      expect(kept.join(), 'the bytes of a partial upload').not.toContain(sourceId)
    }
    expect(kept.join()).toContain(id)
    await remove(path)
    for (const source of sources) expect((await this.#head(source.path)).status).toBe(404)
    for (const other of await this.#landfall.ids()) await remove(`/files/${other}`)
    expect(await this.#landfall.restInStorage()).toEqual([])
  }
}

function never(): never {
  throw new Error('there are no partial uploads')
}
