/** The clients of a run: each begins one upload after the other and sees it to its end. */
import { type Random, seededRandom } from '../../test/support/random.ts'
import { Client, type ClientOptions } from './client.ts'
import { type Content, drawContent, noise, type PhotoAlbum } from './contents.ts'
import { drawPlan, type Plan } from './plan.ts'
import type { Tally } from './report.ts'
import { compareContent, untilConverted, untilStored, type VerifyOptions } from './verify.ts'
import { Watch } from './watch.ts'

export interface CrowdOptions {
  readonly url: string
  readonly seed: string
  readonly clients: number
  readonly album: PhotoAlbum
  readonly tally: Tally
  readonly signal: AbortSignal
}

/** An upload that is left for later, and what its client had in mind. */
interface Open {
  readonly watch: Watch
  readonly plan: Plan
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
  readonly #underWay = new Set<Watch>()
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
          await this.#live(new Watch(name, content, false), steady, random)
        }
      }
    })
  }

  /** Uploads until told to leave; then every client ends what it is at. */
  async upload(): Promise<void> {
    const { clients, seed } = this.#options
    await this.#each(range(clients), async (index) => {
      const random = seededRandom(`${seed}: client ${index}`)
      for (let number = 1; !this.#isLeaving; number += 1) {
        const content = drawContent(random, this.#options.album)
        const plan = drawPlan(random, content.size)
        const watch = new Watch(`upload ${index}.${number}`, content, plan.isDeferred)
        watch.note(describe(content, plan))
        await this.#live(watch, plan, seededRandom(`${seed}: client ${index}: ${number}`))
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
    await this.#each(this.#forgotten.splice(0), async ({ watch, plan }) => {
      watch.note('is gone on with')
      const random = seededRandom(`${this.#options.seed}: ${watch.name} again`)
      await this.#live(watch, { ...plan, fate: 'kept' }, random)
    })
  }

  /** Reads back what is there, looks at its image, and deletes it. */
  async checkAndDeleteKept(): Promise<void> {
    await this.#each(this.#kept.splice(0), async ({ watch, plan }) => {
      watch.takenUpAt = Date.now()
      const verifying = this.#verifying()
      const state = await untilConverted(watch, verifying)
      const kind = `${watch.content.isPhoto ? 'photo' : 'other'} ${state}`
      this.images.set(kind, (this.images.get(kind) ?? 0) + 1)
      await compareContent(watch, verifying)
      await this.#with(watch, plan, seededRandom(watch.name), (client) => client.remove())
    })
  }

  async #live(watch: Watch, plan: Plan, random: Random): Promise<void> {
    this.#underWay.add(watch)
    watch.takenUpAt = Date.now()
    await this.#with(watch, plan, random, async (client) => {
      if (watch.url === undefined) await client.create()
      const isForgotten = plan.fate === 'forgotten' && this.#forgotten.length < mostForgotten
      const isLeft = plan.fate === 'dropped' || isForgotten
      const end = isLeft ? plan.leftAt : watch.content.size
      const companion = plan.hasCompanion ? this.#accompany(watch, plan, end) : undefined
      await Promise.all([client.sendUpTo(end), companion])
      if (isForgotten && !watch.isComplete) {
        watch.note('is left for later')
        this.#forgotten.push({ watch, plan })
      } else if (plan.fate === 'dropped') {
        await client.remove()
      } else {
        await this.#check(watch, plan, client)
      }
    })
    this.#underWay.delete(watch)
  }

  async #check(watch: Watch, plan: Plan, client: Client): Promise<void> {
    await untilStored(watch, this.#verifying())
    this.#options.tally.stored += 1
    await compareContent(watch, this.#verifying())
    const { size } = watch.content
    const isFull = this.#kept.length >= mostKept.count || this.#keptBytes + size > mostKept.bytes
    if (plan.fate === 'deleted' || isFull) return client.remove()
    this.#keptBytes += size
    this.#kept.push({ watch, plan })
  }

  /** Another client sends the same upload for a while. */
  #accompany(watch: Watch, plan: Plan, end: number): Promise<void> {
    const random = seededRandom(`${this.#options.seed}: companion of ${watch.name}`)
    return this.#with(watch, plan, random, (other) => other.sendUpTo(end, companionRequests))
  }

  async #with<T>(watch: Watch, plan: Plan, random: Random, use: (client: Client) => Promise<T>) {
    const { url, tally, signal } = this.#options
    const { stillHopeful } = this
    const filesUrl = `${url}/files`
    const options: ClientOptions = { filesUrl, random, tally, signal, stillHopeful }
    const client = new Client(watch, plan, options)
    try {
      return await use(client)
    } finally {
      client.close()
    }
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

function describe({ size, isPhoto }: Content, plan: Plan): string {
  const { fate, chunk, sentAtOnce, isDeferred, hasCompanion } = plan
  const kind = isPhoto ? 'a photo' : 'random bytes'
  const how = `${isDeferred ? 'deferred length, ' : ''}${hasCompanion ? 'two clients, ' : ''}`
  return `${kind}, ${size} bytes, ${how}${sentAtOnce} at once, then ${chunk.join(' to ')} a request, to be ${fate}`
}
