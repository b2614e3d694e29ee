/** Does what an operation says to a server, and compares what comes of it with what has to. */
import { expect } from 'vitest'
import { bringingFirst, bringingTo, fitting, unsureAfter } from './bringing.ts'
import { type Answer, Client } from './client.ts'
import type { Landfall } from './landfall.ts'
import { type Bringing, greeting, say } from './language.ts'
import type { Creation, Operation, OperationOf, OperationOnUpload, Speech } from './operations.ts'
import { nothingYet, type Prediction, predict, type Standing } from './predictions.ts'
import { ModelUpload, standingIn, type Unsure } from './upload.ts'

const metadata = 'filename YS5qcGc=,note'

export class Session implements Disposable {
  readonly #landfall: Landfall
  readonly #client: Client
  readonly uploads: ModelUpload[] = []

  constructor(landfall: Landfall) {
    this.#landfall = landfall
    this.#client = new Client(landfall.url)
  }

  async do(operation: Operation): Promise<void> {
    if (operation.kind === 'create') await this.#create(operation.creation)
    else if (operation.kind === 'cut creation') await this.#cutCreation(operation)
    else {
      const upload = this.uploads[operation.upload % this.uploads.length]
      if (upload) await this.#doWith(upload, operation)
    }
  }

  #doWith(upload: ModelUpload, operation: OperationOnUpload) {
    switch (operation.kind) {
      case 'append':
        return this.#append(upload, bringingTo(upload, operation.sending, operation.offBy))
      case 'cut':
        return this.#cut(upload, operation)
      case 'head':
        return this.look(upload, operation.speech)
      case 'delete':
        return this.#delete(upload, operation.speech)
      case 'get':
        return this.#get(upload)
      case 'take over':
        return this.#takeOver(upload, operation)
      case 'race':
        return this.#race(upload, operation)
    }
  }

  /** Completes all that is open, reads it, and removes all there is: nothing may be left. */
  async finish(): Promise<void> {
    for (const upload of this.uploads) {
      if (upload.state === 'open') await this.#complete(upload)
      await this.look(upload, 'tus')
      await this.look(upload, 9)
      await this.#get(upload)
    }
    for (const id of await this.#landfall.ids()) {
      const headers = greeting('tus')
      const { status } = await this.#client.ask({ method: 'DELETE', path: `/files/${id}`, headers })
      expect(status, 'the status of DELETE').toBe(204)
    }
    expect(await this.#landfall.restInStorage()).toEqual([])
  }

  [Symbol.dispose](): void {
    this.#client[Symbol.dispose]()
  }

  async look(upload: ModelUpload, speech: Speech): Promise<void> {
    upload.expectHead(speech, await this.#head(upload.path, speech))
  }

  #head(path: string, speech: Speech): Promise<Answer> {
    return this.#client.ask({ method: 'HEAD', path, headers: greeting(speech) })
  }

  async #create(creation: Creation): Promise<void> {
    const request = bringingFirst(creation)
    const before = await this.#landfall.ids()
    const prediction = predict(nothingYet, request)
    const answer = await this.#client.ask(say('/files', request, fileFields(creation)))
    expect(prediction.statuses, 'the status of a creation').toContain(answer.status)
    if (answer.status !== 201) {
      // What was refused for its checksum never was; of others something may be left to expire.
      if (answer.status === 460) expect(await this.#landfall.ids()).toEqual(before)
      return
    }
    const { location, 'upload-offset': offset } = answer.headers
    expect(location).toMatch(/^\/files\/[0-9a-f-]{36}$/)
    const told =
      creation.speech === 'tus' && creation.size === undefined ? undefined : prediction.taken
    expect(offset).toBe(told?.toString())
    const [first] = answer.interim
    if (creation.speech !== 'tus')
      expect(first).toMatchObject({ status: 104, headers: { location } })
    const sentMetadata = creation.speech === 'tus' ? metadata : undefined
    this.uploads.push(new ModelUpload(location ?? '', prediction, request.bytes, sentMetadata))
  }

  /** Only the interim answer of the IETF drafts tells of an upload whose creation broke. */
  async #cutCreation({ creation, share }: OperationOf<'cut creation'>): Promise<void> {
    const request = bringingFirst(creation)
    const sent = Math.floor((request.bytes?.length ?? 0) * share)
    const ask = say('/files', request, fileFields(creation))
    const interim = await this.#client.cut(ask, sent, creation.speech !== 'tus')
    const path = interim[0]?.headers.location
    if (!path) return
    const begun = { ...predict(nothingYet, request), taken: 0, state: 'open' } as const
    const upload = new ModelUpload(path, begun, undefined)
    await this.#settle(upload, unsureAfter(nothingYet, request, sent))
    this.uploads.push(upload)
  }

  async #append(upload: ModelUpload, request: Bringing): Promise<void> {
    const prediction = predict(upload, request)
    const answer = await this.#client.ask(say(upload.path, request))
    expect(prediction.statuses, 'the status of an append').toContain(answer.status)
    if (answer.status === 409) {
      const told = answer.headers['upload-offset']
      if (request.speech !== 'tus') expect(told).toBe(String(upload.offset))
    }
    upload.apply(prediction, request.bytes)
    if (answer.status < 300) {
      expect(answer.headers['upload-offset'], 'the offset').toBe(String(upload.offset))
    } else await this.look(upload, 9)
  }

  async #cut(upload: ModelUpload, { sending, share }: OperationOf<'cut'>): Promise<void> {
    const request = bringingTo(upload, sending)
    const sent = Math.ceil((request.bytes?.length ?? 0) * share)
    const before = standingOf(upload)
    await this.#client.cut(say(upload.path, request), sent, false)
    await this.#settle(upload, unsureAfter(before, request, sent))
  }

  /** A request that fell silent is ended by another one for the same upload. */
  async #takeOver(
    upload: ModelUpload,
    { sending, share, by }: OperationOf<'take over'>,
  ): Promise<void> {
    if (upload.state !== 'open') return
    const second = 'size' in by ? fitting(upload, bringingTo(upload, by)) : undefined
    const asked = bringingTo(upload, sending)
    const isFitting = !second && isSuccess(predict(upload, asked))
    const first = isFitting ? asked : { ...fitting(upload, asked), digest: asked.digest }
    const size = first.bytes?.length ?? 0
    if (size === 0) return
    const sent = Math.min(size - 1, Math.floor(size * share))
    const unsure = unsureAfter(upload, first, sent)
    const stalled = await this.#client.stall(say(upload.path, first), sent)
    try {
      if (second) await this.#overtake(upload, second, unsure)
      else if ('delete' in by) await this.#delete(upload, by.delete)
      else await this.#settle(upload, unsure, 'head' in by ? by.head : 'tus')
      const outcome = await stalled.outcome
      if (outcome && outcome.status < 300) expect(upload.state).toBe('complete')
    } finally {
      stalled.end()
    }
  }

  /** Sends to an upload of which something may have been taken meanwhile. */
  async #overtake(upload: ModelUpload, request: Bringing, unsure: Unsure): Promise<void> {
    const prediction = predict(upload, request)
    const answer = await this.#client.ask(say(upload.path, request))
    if (answer.status < 300) {
      expect(prediction.statuses).toContain(answer.status)
      upload.apply(prediction, request.bytes)
      await this.look(upload, 9)
    } else {
      expect([400, 409, 413]).toContain(answer.status)
      await this.#settle(upload, unsure)
    }
  }

  /** Two requests at once: none of their bytes are mixed, and at most one is taken as a whole. */
  async #race(upload: ModelUpload, { one, other }: OperationOf<'race'>): Promise<void> {
    if (upload.state !== 'open') return
    const requests = [one, other].map((each) => fitting(upload, bringingTo(upload, each)))
    const answers = await Promise.all(
      requests.map((request) => this.#client.ask(say(upload.path, request))),
    )
    const taken = requests.filter((_, index) => (answers[index]?.status ?? 0) < 300)
    for (const { status } of answers)
      if (status >= 300) expect([400, 409, 413, 423]).toContain(status)
    const [winner, ...others] = taken.flatMap(({ bytes }) => (bytes?.length ? [bytes] : []))
    expect(others, 'acknowledged both').toEqual([])
    await this.#settle(upload, {
      sent: winner ? [winner] : requests.flatMap(({ bytes }) => bytes ?? []),
      mayTake: (count) => winner === undefined || count === winner.length,
      lengths: [upload.length],
      mayBe: ({ state, offset, length }) =>
        state === 'open' || (state === 'complete' && offset === length),
    })
  }

  async #delete(upload: ModelUpload, speech: Speech): Promise<void> {
    const ask = { method: 'DELETE', path: upload.path, headers: greeting(speech) }
    const { status } = await this.#client.ask(ask)
    expect(status, 'the status of DELETE').toBe(upload.state === 'removed' ? 404 : 204)
    upload.state = 'removed'
  }

  async #get({ path, state, contents }: ModelUpload): Promise<void> {
    const { headers } = await this.#client.ask({ method: 'GET', path })
    const answer = await this.#client.ask({ method: 'GET', path: headers.location ?? '' })
    const statuses = { open: 409, complete: 200, void: 410, removed: 404 }
    expect(answer.status, 'the status of GET').toBe(statuses[state])
    if (state !== 'complete') return
    const isOne = contents.some((content) => content.equals(answer.body))
    expect(isOne, 'the bytes are those that were acknowledged').toBe(true)
  }

  /** Sends what is missing, all in one. */
  async #complete(upload: ModelUpload): Promise<void> {
    const speech = upload.offset % 2 === 0 ? 'tus' : 9
    const rest = { size: { rest: upload.length === undefined ? 3 : 0 }, chunked: false, seed: 7 }
    const sending = { ...rest, speech, completes: true, declares: 0, digest: undefined } as const
    const request = bringingTo(upload, sending)
    await this.#append(upload, request)
    expect(upload.state).toBe('complete')
  }

  /**
   * Asks where an upload stands, at once and when nobody writes to it any more: a request may still
   * be about to get its turn when a later one is answered.
   */
  async #settle(upload: ModelUpload, unsure: Unsure, first: Speech = 'tus'): Promise<void> {
    const heard = (await this.#head(upload.path, first)).headers['upload-offset']
    await this.#landfall.idle()
    const seen = standingIn(await this.#head(upload.path, 9))
    if (heard !== undefined && seen.state !== 'void') {
      expect(Number(heard), 'an offset told').toBeGreaterThanOrEqual(upload.offset)
      expect(Number(heard), 'an offset told').toBeLessThanOrEqual(seen.offset)
    }
    upload.settle(seen, unsure)
    await this.look(upload, first)
  }
}

const standingOf = ({ offset, length, state }: Standing): Standing => ({ offset, length, state })

function isSuccess({ statuses }: Prediction): boolean {
  return statuses.every((status) => status < 300)
}

function fileFields({ speech }: Creation): Record<string, string> {
  return speech === 'tus'
    ? { 'Upload-Metadata': metadata }
    : { 'Content-Disposition': 'attachment; filename="a.jpg"' }
}
