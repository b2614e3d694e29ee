import { setTimeout as delay } from 'node:timers/promises'
import { formatBytes } from '../support/text.ts'
import { Chaos } from './chaos.ts'
import { makeAlbum } from './contents.ts'
import { Crowd } from './crowd.ts'
import { checkDatabase, deleteAll, untilEmpty } from './leftovers.ts'
import type { TortureOptions } from './options.ts'
import { progressLine, type Summary, sumOf, Tally } from './report.ts'
import { Stage } from './stage.ts'
import { Violation } from './watch.ts'

export interface Narrator {
  /** A line for whoever looks on. */
  say(line: string): void
  /** Something that happened to the server; shown when a promise was broken. */
  remember(event: string): void
  /** What the server logged about an upload; set once there is a server. */
  logOf: (id: string) => string[]
}

const progressMs = 5_000
const warmUpRounds = 2
/** The last part of the run goes without kills, so that one process lives for a while. */
const killShare = 0.8
const lastCalmMs = 10_000
const memoryAllowance = 80 * 2 ** 20
const memoryPatienceMs = 45_000
const memorySamples = 12
const memorySampleMs = 250

/** Runs once. @throws Violation when a promise is broken, with what is known of it. */
export async function torture(
  options: TortureOptions,
  narrator: Narrator,
  interrupted: AbortSignal,
): Promise<Summary> {
  const broken = new AbortController()
  const chaos = new Chaos(options, narrator.remember, (violation) => broken.abort(violation))
  await using stage = await Stage.set({ ...options, plan: chaos.plan })
  narrator.logOf = (id) => stage.logOf(id)
  const signal = AbortSignal.any([broken.signal, interrupted])
  const run = new Run(options, narrator, stage, chaos, signal)
  try {
    return await run.run()
  } catch (error) {
    // What was noticed first is what everything else failed of.
    throw broken.signal.aborted ? broken.signal.reason : error
  } finally {
    broken.abort()
    run.stopTalking()
  }
}

class Run {
  readonly #options: TortureOptions
  readonly #narrator: Narrator
  readonly #stage: Stage
  readonly #chaos: Chaos
  readonly #signal: AbortSignal
  readonly #tally = new Tally()
  readonly #startedAt = Date.now()
  #crowd: Crowd | undefined
  readonly #talking: NodeJS.Timeout

  constructor(
    options: TortureOptions,
    narrator: Narrator,
    stage: Stage,
    chaos: Chaos,
    signal: AbortSignal,
  ) {
    this.#options = options
    this.#narrator = narrator
    this.#stage = stage
    this.#chaos = chaos
    this.#signal = signal
    this.#talking = setInterval(() => narrator.say(this.#progress()), progressMs)
  }

  async run(): Promise<Summary> {
    const { seed, clients, without, storage } = this.#options
    const album = await makeAlbum()
    const shared = { url: this.#stage.url, seed, clients, without, album, signal: this.#signal }
    const countsInBetween = storage === 's3'
    const crowd = new Crowd({ ...shared, countsInBetween, tally: this.#tally })
    this.#crowd = crowd
    this.#chaos.watchOver(this.#stage.program)

    this.#narrator.say('warming up')
    await crowd.warmUp(warmUpRounds)
    const atStart = await this.#restingMemory()

    this.#narrator.say('uploading while things go wrong')
    await this.#goWrong(crowd)
    this.#narrator.say('nothing goes wrong any more; finishing and reading back')
    await crowd.checkAndDeleteKept()
    const unknown = await deleteAll(this.#stage, this.#tally.refused, this.#signal)
    this.#narrator.say(`deleted everything, also ${unknown} uploads no client heard of`)
    await untilEmpty(this.#stage, this.#signal)
    const atEnd = await this.#memoryThatCameBack(atStart)
    await this.#chaos.finish(this.#stage)
    await checkDatabase(this.#stage)
    await this.#stage.removeBucket()
    return this.#summary(crowd, { atStart, atEnd })
  }

  stopTalking(): void {
    clearInterval(this.#talking)
  }

  async #goWrong(crowd: Crowd): Promise<void> {
    const startedAt = Date.now()
    const { goals } = this.#options
    const isDone = (share: number) =>
      Date.now() - startedAt >= goals.seconds * 1_000 * share &&
      this.#chaos.counts.kills >= goals.kills &&
      this.#faults() >= goals.faults
    const raging = async () => {
      this.#chaos.begin(this.#stage)
      await this.#chaos.rage(this.#stage, () => isDone(killShare), this.#signal)
      const calmUntil = Math.max(
        startedAt + goals.seconds * 1_000,
        Date.now() + (goals.seconds > 0 ? 0 : lastCalmMs),
      )
      await delay(Math.max(0, calmUntil - Date.now()), undefined, { signal: this.#signal })
      this.#chaos.end(this.#stage)
      crowd.leave()
    }
    await Promise.all([crowd.upload(), raging()])
    await crowd.finishForgotten()
  }

  /** Memory as it is when nothing is going on. */
  async #restingMemory(): Promise<number | undefined> {
    let least: number | undefined
    for (let sample = 0; sample < memorySamples; sample += 1) {
      const now = this.#stage.memory()
      if (now !== undefined) least = Math.min(now, least ?? now)
      await delay(memorySampleMs, undefined, { signal: this.#signal })
    }
    return least
  }

  async #memoryThatCameBack(atStart: number | undefined): Promise<number | undefined> {
    const deadline = Date.now() + memoryPatienceMs
    for (;;) {
      const now = await this.#restingMemory()
      if (now === undefined || atStart === undefined) return now
      if (now <= atStart + memoryAllowance) return now
      if (Date.now() > deadline) {
        const [was, is] = [formatBytes(atStart), formatBytes(now)]
        throw new Violation(`memory did not come back: ${was} after the warm-up, ${is} at the end`)
      }
    }
  }

  #faults(): number {
    return sumOf(this.#stage.faultsByKind())
  }

  #progress(): string {
    return progressLine({
      ...this.#figures(),
      open: this.#crowd?.open ?? 0,
      memory: this.#stage.memory(),
    })
  }

  #summary(crowd: Crowd, memory: Summary['memory']): Summary {
    const faultsByKind = this.#stage.faultsByKind()
    return { ...this.#figures(), faultsByKind, images: crowd.images, memory }
  }

  #figures() {
    return {
      elapsedMs: Date.now() - this.#startedAt,
      tally: this.#tally,
      chaos: this.#chaos.counts,
      faults: this.#faults(),
    }
  }
}
