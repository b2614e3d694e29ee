/** A client that goes on through everything, and checks every answer. */
import type { Agent, IncomingHttpHeaders } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import type { Random } from '../../test/support/random.ts'
import { type Dialect, ietf, interops, type Sending, type Speech, tus } from './dialect.ts'
import type { Plan } from './plan.ts'
import type { Tally } from './report.ts'
import type { Answer, Asked, Watch } from './watch.ts'
import { BrokenRequest, newAgent, send, type WireRequest } from './wire.ts'

export interface ClientOptions {
  readonly filesUrl: string
  readonly random: Random
  readonly tally: Tally
  /** Ends the client in the middle of everything. */
  readonly signal: AbortSignal
  /** @throws Violation when something that must come to an end has been tried for too long. */
  readonly stillHopeful: (watch: Watch, what: string) => void
}

type Request = Pick<WireRequest, 'method' | 'headers' | 'body'>

const longestPauseMs = 1_500
/** How often a client says once more that an upload is complete, as if it had not heard the answer. */
const repeatShare = 0.2

export class Client {
  readonly #options: ClientOptions
  readonly #watch: Watch
  readonly #plan: Plan
  readonly #dialect: Dialect
  readonly #agent: Agent = newAgent()
  /** Tries in a row that led nowhere. */
  #failures = 0

  constructor(watch: Watch, plan: Plan, dialect: Dialect, options: ClientOptions) {
    this.#watch = watch
    this.#plan = plan
    this.#dialect = dialect
    this.#options = options
  }

  close(): void {
    this.#agent.destroy()
  }

  /**
   * Creates the upload. One whose creation was never confirmed is left behind, unknown. What is
   * created already is asked for again, and has to be found where it is.
   */
  async create(): Promise<void> {
    for (;;) {
      const sending = this.#dialect.creation()
      const answer = await this.#send(sending)
      if (answer?.status === sending.expected) return
      this.#failures += 1
      // The IETF protocol tells where it is before all of the request came.
      if (this.#watch.url !== undefined && this.#plan.role !== 'final') return
      await this.#pause('be created')
    }
  }

  /** Sends what is missing up to `end`, and the length with it when `end` is the whole. */
  async sendUpTo(end: number, mostRequests = Number.POSITIVE_INFINITY): Promise<void> {
    const { random } = this.#options
    let offset: number | undefined = this.#failures > 0 ? undefined : this.#watch.acknowledged
    for (let requests = 0; requests < mostRequests && !this.#isSent(end); requests += 1) {
      const isCurious = random.chance(this.#plan.curiosity) || offset === this.#watch.content.size
      if (offset === undefined || isCurious) offset = await this.ask()
      if (offset === undefined || this.#isSent(end)) continue
      offset = await this.#append(offset, end)
      if (offset === undefined) await this.#pause('be finished')
    }
    if (this.#dialect.speech.protocol !== 'ietf' || !this.#watch.isComplete) return
    if (random.chance(repeatShare)) await this.#append(end, end)
  }

  /** Where the server says the upload stands; undefined once it says that it is deleted. */
  async ask(wanted?: Speech): Promise<number | undefined> {
    for (;;) {
      const speech = wanted ?? this.#speechToAskIn()
      const asked = { protocol: speech.protocol, expected: speech.looked }
      const answer = await this.#try({ method: 'HEAD', headers: speech.headers }, asked)
      if (this.#watch.isDeleted) return undefined
      if (answer?.status === speech.looked) return Number(answer.headers['upload-offset'])
      await this.#pause('be asked about')
    }
  }

  /** Deletes the upload, and sees that it is gone. */
  async remove(): Promise<void> {
    const { headers, protocol } = this.#dialect.speech
    this.#watch.deleting()
    while (!this.#watch.isDeleted) {
      await this.#try({ method: 'DELETE', headers }, { protocol, expected: 204 })
      if (!this.#watch.isDeleted) await this.#pause('be deleted')
    }
    await this.ask()
    if (this.#plan.role !== 'part') this.#options.tally.deleted += 1
  }

  #speechToAskIn(): Speech {
    const { random, tally } = this.#options
    const { speech } = this.#dialect
    if (!random.chance(this.#plan.asksInOther)) return speech
    tally.askedInOther += 1
    return speech.protocol === 'ietf' ? tus : ietf(random.pick(interops))
  }

  #isSent(end: number): boolean {
    const { acknowledged, content, isComplete, isDeleted } = this.#watch
    return isDeleted || isComplete || (end < content.size && acknowledged >= end)
  }

  /** Sends bytes from an offset on. @returns the next one, if that is known. */
  async #append(offset: number, end: number): Promise<number | undefined> {
    const sending = this.#dialect.append(offset, end)
    const answer = await this.#send(sending)
    if (answer?.status !== sending.expected) return undefined
    if (sending.declaresLength) this.#watch.declaredLength()
    return Number(answer.headers['upload-offset'])
  }

  async #send(sending: Sending): Promise<Answer | undefined> {
    const { from, to, claim, expected, markedAs, body } = sending
    const { tally } = this.#options
    this.#watch.sending(from, to, claim)
    if (sending.mayComplete) this.#watch.completing()
    const { protocol, headers } = this.#dialect.speech
    const request = { ...sending, headers: { ...headers, ...sending.headers } }
    const answer = await this.#try(request, { protocol, expected, claim, to })
    if (answer?.headers.location !== undefined) this.#locate(answer.headers.location)
    tally.sent(claim, body?.trailer !== undefined, answer)
    // What is refused in the IETF protocol is there, without a byte.
    if (markedAs !== undefined && answer?.status === 460) tally.refused.add(markedAs)
    return answer
  }

  /** One request; undefined when no answer came. @throws Violation when the answer is a wrong one. */
  async #try(request: Request, asked: Asked): Promise<Answer | undefined> {
    const { filesUrl, signal, tally } = this.#options
    const isCreation = request.method === 'POST'
    const before = this.#watch.before()
    this.#watch.note(describe(request, asked))
    let fault: unknown
    const onInterim = (headers: IncomingHttpHeaders) => {
      try {
        this.#watch.sawProgress(headers)
        if (headers.location !== undefined && isCreation) this.#locate(headers.location)
      } catch (error) {
        fault ??= error
      }
    }
    const url = isCreation ? filesUrl : (this.#watch.url ?? filesUrl)
    const { patienceMs } = this.#plan
    const answer = await this.#exchange({ ...request, url, patienceMs, signal, onInterim })
    if (fault !== undefined) throw fault
    if (!answer) return undefined
    tally.answered(answer)
    const offset = this.#watch.saw(before, answer, asked)
    if (offset !== undefined && offset > before.acknowledged) this.#moved(before.acknowledged)
    return answer
  }

  async #exchange(request: WireRequest): Promise<Answer | undefined> {
    try {
      return await send(this.#agent, request)
    } catch (error) {
      if (!(error instanceof BrokenRequest)) throw error
      this.#watch.note(`${request.method} broke: ${error.message}`)
      this.#options.tally.broken += 1
      return undefined
    }
  }

  #locate(location: string): void {
    const url = new URL(location, this.#options.filesUrl).href
    const { tally } = this.#options
    if (this.#watch.url !== undefined && this.#watch.url !== url) {
      throw this.#watch.violation(`it is said to be at ${url} as well`)
    }
    if (this.#watch.url === undefined) tally.began(this.#plan)
    this.#watch.url = url
  }

  #moved(from: number): void {
    if (this.#plan.role !== 'final') {
      this.#options.tally.bytes += this.#watch.acknowledged - from
    }
    this.#failures = 0
  }

  async #pause(what: string): Promise<void> {
    const { random, signal, stillHopeful } = this.#options
    stillHopeful(this.#watch, what)
    this.#failures += 1
    const longest = Math.min(longestPauseMs, 50 * 2 ** Math.min(this.#failures, 10))
    await delay(random.integer(longest / 2, longest), undefined, { signal })
  }
}

function describe({ method, headers = {}, body }: Request, { protocol, claim }: Asked): string {
  const { 'Upload-Offset': at = '', 'Upload-Complete': complete } = headers
  const words = [method, at, body?.size ?? '']
  if (protocol === 'ietf') words.push(`by version ${headers['Upload-Draft-Interop-Version']}`)
  if (complete !== undefined) words.push(`complete ${complete}`)
  if (body?.isChunked) words.push('chunked')
  if (claim !== 'none' && claim !== undefined) words.push(`with a ${claim} digest`)
  if (body?.trailer) words.push('in the trailer')
  return words.join(' ')
}
