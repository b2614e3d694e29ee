/** The clients of a run: each begins one upload after the other and sees it to its end. */
import { type Random, seededRandom } from '../../test/support/random.ts'
import { Client, type ClientOptions } from './client.ts'
import { bringTogether, drawDivision, lookAtParts, removeTogether } from './concatenation.ts'
import { drawContent, noise, type PhotoAlbum } from './contents.ts'
import { ietf, interops, tus } from './dialect.ts'
import { describeOpen, type Open, openUpload, wholeOf } from './open-uploads.ts'
import { drawPlan, type Plan } from './plan.ts'
import type { Tally } from './report.ts'
import {
  compareContent,
  expectNoImage,
  untilConverted,
  untilStored,
  type VerifyOptions,
} from './verify.ts'
import type { Watch } from './watch.ts'

export interface CrowdOptions {
  readonly url: string
  readonly seed: string
  readonly clients: number
  /** What clients do not do. */
  readonly without: ReadonlySet<string>
  /** Whether bytes that are verified may count before all of their request do. */
  readonly countsInBetween: boolean
  readonly album: PhotoAlbum
  readonly tally: Tally
  readonly signal: AbortSignal
}

const MiB = 2 ** 20
/** Finished uploads are kept until the end, and others left in the middle, but not more than this. */
const mostKept = { count: 200, bytes: 300 * MiB }
const mostForgotten = 40
const companionRequests = 6
/** While things go wrong, an upload may stand still for so long. */
const stillMs = 240_000
/** Once nothing goes wrong any more, whatever is taken up has to succeed within this time. */
const patienceMs = 120_000

const steady: Plan = {
  role: 'single',
  interop: undefined,
  asksInOther: 0,
  claims: 0,
  isDeferred: false,
  sentAtOnce: 0,
  chunk: [40 * MiB, 40 * MiB],
  hasCompanion: false,
  curiosity: 0,
  patienceMs: 30_000,
  fate: 'deleted',
  leftAt: 0,
}

export class Crowd {
  readonly images = new Map<string, number>()
  readonly #options: CrowdOptions
  readonly #kept: Open[] = []
  readonly #forgotten: Open[] = []
  readonly #underWay = new Set<Open>()
  #keptBytes = 0
  #isLeaving = false
  /** Since when nothing goes wrong any more. */
  #quietSince: number | undefined

  constructor(options: CrowdOptions) {
    this.#options = options
  }

  /** Uploads that are not where they are meant to be yet. */
  get open(): number {
    return this.#underWay.size + this.#forgotten.length
  }

  /** A few uploads of each kind, all at once, so that memory is as full as it will be. */
  async warmUp(rounds: number): Promise<void> {
    const { album, clients, seed } = this.#options
    await this.#each(range(clients), async (index) => {
      const random = seededRandom(`${seed}: warm-up ${index}`)
      for (let round = 1; round <= rounds; round += 1) {
        const name = `warm-up ${index}.${round}`
        for (const content of [noise(16 * MiB, name), drawContent(random, album, MiB)]) {
          await this.#live(openUpload({ name, content, plan: steady }, this.#options), random)
        }
      }
    })
  }

  /** Uploads until told to leave; then every client ends what it is at. */
  async upload(): Promise<void> {
    const { album, clients, seed, without } = this.#options
    await this.#each(range(clients), async (index) => {
      const random = seededRandom(`${seed}: client ${index}`)
      for (let number = 1; !this.#isLeaving; number += 1) {
        const division = drawDivision(random, album, without)
        const content = division?.content ?? drawContent(random, album)
        const plan = drawPlan(random, content.size, without)
        const name = `upload ${index}.${number}`
        const open = openUpload({ name, content, plan, division, random }, this.#options)
        open.watch.note(describeOpen(open))
        await this.#live(open, seededRandom(`${seed}: client ${index}: ${number}`))
      }
    })
  }

  /** Nothing goes wrong from now on: begins no more uploads, and expects all others to succeed. */
  leave(): void {
    this.#isLeaving = true
    this.#quietSince = Date.now()
  }

  /** Goes back to what was left in the middle. */
  async finishForgotten(): Promise<void> {
    await this.#each(this.#forgotten.splice(0), async (open) => {
      open.watch.note('is gone on with')
      const random = seededRandom(`${this.#options.seed}: ${open.watch.name} again`)
      await this.#live({ ...open, plan: { ...open.plan, fate: 'kept' } }, random)
    })
  }

  /** Reads back what is there, looks at its image, and deletes it. */
  async checkAndDeleteKept(): Promise<void> {
    await this.#each(this.#kept.splice(0), async (open) => {
      const { watch } = open
      watch.takenUpAt = Date.now()
      const verifying = this.#verifying()
      const state = await untilConverted(watch, verifying)
      const kind = `${watch.content.isPhoto ? 'photo' : 'other'} ${state}`
      this.images.set(kind, (this.images.get(kind) ?? 0) + 1)
      await compareContent(watch, verifying)
      await this.#remove(open, seededRandom(watch.name))
    })
  }

  async #live(open: Open, random: Random): Promise<void> {
    const { watch, plan } = open
    this.#underWay.add(open)
    watch.takenUpAt = Date.now()
    const isForgotten = plan.fate === 'forgotten' && this.#forgotten.length < mostForgotten
    const isLeft = plan.fate === 'dropped' || isForgotten
    const whole = wholeOf(open, random, this.#hands)
    if (whole) await bringTogether(whole, isLeft, random, this.#options.tally)
    else await this.#bring(open, isLeft ? plan.leftAt : watch.content.size, random)
    if (isForgotten && !watch.isComplete) {
      watch.note('is left for later')
      this.#forgotten.push(open)
    } else if (plan.fate === 'dropped') {
      await this.#remove(open, random)
    } else {
      await this.#check(open, random)
    }
    this.#underWay.delete(open)
  }

  /** Creates an upload unless it is there, and sends it up to `end`. */
  async #bring(open: Open, end: number, random: Random): Promise<void> {
    const { watch, plan } = open
    watch.takenUpAt = Date.now()
    await this.#with(open, random, async (client) => {
      if (watch.url === undefined) await client.create()
      const companion = plan.hasCompanion ? this.#accompany(open, end) : undefined
      await Promise.all([client.sendUpTo(end), companion])
    })
  }

  async #check(open: Open, random: Random): Promise<void> {
    const { watch, plan } = open
    await untilStored(watch, this.#verifying())
    this.#options.tally.stored += 1
    await compareContent(watch, this.#verifying())
    await this.#lookAround(open, random)
    const { size } = watch.content
    const isFull = this.#kept.length >= mostKept.count || this.#keptBytes + size > mostKept.bytes
    if (plan.fate === 'deleted' || isFull) return this.#remove(open, random)
    this.#keptBytes += size
    this.#kept.push(open)
  }

  /** Whatever it is asked in, it is complete; and so are its parts, of which nothing else is made. */
  async #lookAround(open: Open, random: Random): Promise<void> {
    const { tally, without } = this.#options
    const whole = wholeOf(open, random, this.#hands)
    if (whole) {
      tally.joined += 1
      await lookAtParts(whole)
      for (const part of whole.parts) await expectNoImage(part.watch, this.#verifying())
    }
    const speeches = whole || without.has('ietf') ? [tus] : [tus, ietf(random.pick(interops))]
    await this.#with(open, random, async (client) => {
      for (const speech of speeches) await client.ask(speech)
    })
  }

  async #remove(open: Open, random: Random): Promise<void> {
    const whole = wholeOf(open, random, this.#hands)
    if (whole) return removeTogether(whole)
    return this.#with(open, random, (client) => client.remove())
  }

  /** Another client sends the same upload for a while. */
  #accompany(open: Open, end: number): Promise<void> {
    const random = seededRandom(`${this.#options.seed}: companion of ${open.watch.name}`)
    return this.#with(open, random, (other) => other.sendUpTo(end, companionRequests))
  }

  async #with<T>(open: Open, random: Random, use: (client: Client) => Promise<T>): Promise<T> {
    const { url, tally, signal } = this.#options
    const { stillHopeful } = this
    const filesUrl = `${url}/files`
    const options: ClientOptions = { filesUrl, random, tally, signal, stillHopeful }
    const client = new Client(open.watch, open.plan, open.dialect(random), options)
    try {
      return await use(client)
    } finally {
      client.close()
    }
  }

  readonly #hands = {
    bring: this.#bring.bind(this),
    use: this.#with.bind(this),
  }

  #verifying(): VerifyOptions {
    const { url: apiUrl, tally, signal } = this.#options
    return { apiUrl, tally, signal, stillHopeful: this.stillHopeful }
  }

  readonly stillHopeful = (watch: Watch, what: string): void => {
    const now = Date.now()
    if (this.#quietSince === undefined) {
      const since = Math.max(watch.movedAt, watch.takenUpAt)
      if (now < since + stillMs) return
      throw watch.violation(`it could not ${what} for ${stillMs / 1_000} s`)
    }
    const since = Math.max(this.#quietSince, watch.takenUpAt)
    if (now < since + patienceMs) return
    throw watch.violation(
      `nothing goes wrong any more, and it could not ${what} for ${patienceMs / 1_000} s`,
    )
  }

  /** Does something to each, as many at a time as there are clients. */
  async #each<T>(items: Iterable<T>, act: (item: T) => Promise<void>): Promise<void> {
    const left = items[Symbol.iterator]()
    const lane = async () => {
      for (let next = left.next(); !next.done; next = left.next()) await act(next.value)
    }
    await Promise.all(range(this.#options.clients).map(lane))
  }
}

const range = (count: number) => [...Array(count).keys()]
