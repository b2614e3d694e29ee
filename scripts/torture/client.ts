/** A tus client that goes on through everything, and checks every answer. */
import type { Agent } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import type { Random } from '../../test/support/random.ts'
import type { Plan } from './plan.ts'
import type { Tally } from './report.ts'
import { BrokenRequest, newAgent, send, type TusRequest } from './tus.ts'
import type { Answer, Watch } from './watch.ts'

export interface ClientOptions {
  readonly filesUrl: string
  readonly random: Random
  readonly tally: Tally
  /** Ends the client in the middle of everything. */
  readonly signal: AbortSignal
  /** @throws Violation when something that must come to an end has been tried for too long. */
  readonly stillHopeful: (watch: Watch, what: string) => void
}

type Request = Omit<TusRequest, 'url' | 'patienceMs' | 'signal'>

const longestPauseMs = 1_500

export class Client {
  readonly #options: ClientOptions
  readonly #watch: Watch
  readonly #plan: Plan
  readonly #agent: Agent = newAgent()
  /** Tries in a row that led nowhere. */
  #failures = 0

  constructor(watch: Watch, plan: Plan, options: ClientOptions) {
    this.#watch = watch
    this.#plan = plan
    this.#options = options
  }

  close(): void {
    this.#agent.destroy()
  }

  /** Creates the upload. One whose creation was never confirmed is left behind, unknown. */
  async create(): Promise<void> {
    const { content } = this.#watch
    const { isDeferred } = this.#plan
    const sent = Math.min(this.#plan.sentAtOnce, content.size)
    const headers = {
      'Upload-Metadata': `filename ${Buffer.from(content.filename).toString('base64')}`,
      ...(isDeferred ? { 'Upload-Defer-Length': 1 } : { 'Upload-Length': content.size }),
      ...(sent > 0 && { 'Content-Type': 'application/offset+octet-stream' }),
    }
    for (;;) {
      this.#watch.sending(sent)
      const body = sent > 0 ? { bytes: content.read(0, sent), size: sent } : undefined
      const answer = await this.#try({ method: 'POST', headers, body })
      const location = answer?.status === 201 ? answer.headers.location : undefined
      if (location !== undefined) {
        this.#watch.url = new URL(location, this.#options.filesUrl).href
        this.#options.tally.begun += 1
        return
      }
      await this.#pause('be created')
    }
  }

  /** Sends what is missing up to `end`, and the length with it when `end` is the whole. */
  async sendUpTo(end: number, mostRequests = Number.POSITIVE_INFINITY): Promise<void> {
    const { random } = this.#options
    let offset: number | undefined = this.#failures > 0 ? undefined : this.#watch.acknowledged
    for (let requests = 0; requests < mostRequests && !this.#isSent(end); requests += 1) {
      if (offset === undefined || random.chance(this.#plan.curiosity)) offset = await this.ask()
      if (offset === undefined || this.#isSent(end)) continue
      offset = await this.#patch(offset, end)
      if (offset === undefined) await this.#pause('be finished')
    }
  }

  /** Where the server says the upload stands; undefined once it says that it is deleted. */
  async ask(): Promise<number | undefined> {
    for (;;) {
      const answer = await this.#try({ method: 'HEAD' })
      if (this.#watch.isDeleted) return undefined
      if (answer?.status === 200) return Number(answer.headers['upload-offset'])
      await this.#pause('be asked about')
    }
  }

  /** Deletes the upload, and sees that it is gone. */
  async remove(): Promise<void> {
    this.#watch.deleting()
    while (!this.#watch.isDeleted) {
      await this.#try({ method: 'DELETE' })
      if (!this.#watch.isDeleted) await this.#pause('be deleted')
    }
    await this.ask()
    this.#options.tally.deleted += 1
  }

  #isSent(end: number): boolean {
    const { acknowledged, content, isComplete, isDeleted } = this.#watch
    return isDeleted || isComplete || (end < content.size && acknowledged >= end)
  }

  async #patch(offset: number, end: number): Promise<number | undefined> {
    const { content, lengthIsKnown } = this.#watch
    const [min, max] = this.#plan.chunk
    const to = Math.min(end, offset + this.#options.random.integer(min, max))
    const declares = !lengthIsKnown && to === content.size
    this.#watch.sending(to)
    const answer = await this.#try({
      method: 'PATCH',
      headers: {
        'Upload-Offset': offset,
        'Content-Type': 'application/offset+octet-stream',
        ...(declares && { 'Upload-Length': content.size }),
      },
      body: { bytes: content.read(offset, to), size: to - offset },
    })
    if (answer?.status !== 204) return undefined
    if (declares) this.#watch.declaredLength()
    return Number(answer.headers['upload-offset'])
  }

  /** One request; undefined when no answer came. @throws Violation when the answer is a wrong one. */
  async #try(request: Request): Promise<Answer | undefined> {
    const { filesUrl, signal, tally } = this.#options
    const before = this.#watch.before()
    const { 'Upload-Offset': at = '' } = request.headers ?? {}
    this.#watch.note(`${request.method} ${at} ${request.body?.size ?? ''}`)
    try {
      const url = this.#watch.url ?? filesUrl
      const { patienceMs } = this.#plan
      const answer = await send(this.#agent, { ...request, url, patienceMs, signal })
      tally.answered(answer)
      const offset = this.#watch.saw(before, answer)
      if (offset !== undefined && offset > before.acknowledged) {
        tally.bytes += offset - before.acknowledged
        this.#failures = 0
      }
      return answer
    } catch (error) {
      if (!(error instanceof BrokenRequest)) throw error
      this.#watch.note(`${request.method} broke: ${error.message}`)
      tally.broken += 1
      return undefined
    }
  }

  async #pause(what: string): Promise<void> {
    const { random, signal, stillHopeful } = this.#options
    stillHopeful(this.#watch, what)
    this.#failures += 1
    const longest = Math.min(longestPauseMs, 50 * 2 ** Math.min(this.#failures, 10))
    await delay(random.integer(longest / 2, longest), undefined, { signal })
  }
}
