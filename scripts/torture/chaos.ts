/** Kills the server, and sees to the faults around it. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Exit } from '../../test/support/child.ts'
import type { ConnectionFault } from '../../test/support/network-proxy.ts'
import type { Program } from '../../test/support/program.ts'
import { type Random, seededRandom } from '../../test/support/random.ts'
import { badDay, changes, connectionFault, outage } from './fault-plan.ts'
import type { TortureOptions } from './options.ts'
import type { ChaosCounts } from './report.ts'
import type { Stage } from './stage.ts'
import { Violation } from './watch.ts'

const pauseMs = [700, 3_500] as const
const outageMs = [1_000, 5_000] as const
/** A kill that waits for S3 to carry something out waits no longer. */
const aimMs = 4_000
const mostStarts = 30
/** What happens next; the more often it is named, the more likely. */
const events = [...Array.from({ length: 10 }, () => 'kill' as const), 'stop', 'outage'] as const

export class Chaos {
  readonly counts: ChaosCounts = {
    kills: 0,
    aimedKills: 0,
    stops: 0,
    uncleanStops: 0,
    outages: 0,
    failedStarts: 0,
  }
  readonly #options: TortureOptions
  readonly #random: Random
  readonly #network: Random
  readonly #log: (text: string) => void
  readonly #onViolation: (violation: Violation) => void
  readonly #expectedToEnd = new WeakSet<Program>()
  #isBad = false

  constructor(
    options: TortureOptions,
    log: (text: string) => void,
    onViolation: (violation: Violation) => void,
  ) {
    this.#options = options
    this.#random = seededRandom(`${options.seed}: chaos`)
    this.#network = seededRandom(`${options.seed}: network`)
    this.#log = log
    this.#onViolation = onViolation
  }

  /** What is to happen to a new connection. */
  readonly plan = (): ConnectionFault | undefined =>
    this.#isBad ? connectionFault(this.#network, this.#options.without) : undefined

  /** From now on things go wrong, but nobody is killed yet. */
  begin(stage: Stage): void {
    this.#isBad = true
    for (const rule of badDay(this.#options.without)) stage.faults?.fail(rule)
  }

  /** From now on nothing goes wrong. */
  end(stage: Stage): void {
    this.#isBad = false
    stage.faults?.heal()
    stage.faults?.endHangs()
    stage.network.flow()
    stage.network.limit({})
  }

  /** Kills the server again and again, on the same data, until told to stop. */
  async rage(stage: Stage, isOver: () => boolean, signal: AbortSignal): Promise<void> {
    while (!isOver()) {
      await delay(this.#random.integer(...pauseMs), undefined, { signal })
      const aims = stage.faults !== undefined && this.#random.chance(0.35)
      const event = this.#random.pick(events)
      if (this.#options.without.has(event)) continue
      if (event === 'outage') await this.#outage(stage, signal)
      else if (event === 'stop') await this.#stop(stage, signal)
      else await this.#kill(stage, aims, signal)
    }
  }

  /** An end of this program that nobody asked for is a violation. */
  watchOver(program: Program): void {
    void program.exited.then(({ code, signal }) => {
      if (this.#expectedToEnd.has(program)) return
      const how = signal ?? `exit code ${code}`
      const words = program.stderr.trim().split('\n').slice(-20).join('\n')
      this.#onViolation(new Violation(`the server ended by itself (${how})\n${words}`))
    })
  }

  /** Stops the server for good, and expects it to end well. */
  async finish(stage: Stage): Promise<void> {
    const { code, signal } = await this.#terminate(stage.program)
    if (code !== 0) {
      throw new Violation(`the server did not stop well (${signal ?? `exit code ${code}`})`)
    }
  }

  async #kill(stage: Stage, aims: boolean, signal: AbortSignal): Promise<void> {
    const { program } = stage
    const operation = aims ? await this.#carriedOut(stage, signal) : undefined
    this.#log(operation ? `kill -9 after S3 did ${operation}` : 'kill -9')
    this.#expectedToEnd.add(program)
    await program.kill('SIGKILL')
    this.counts.kills += 1
    if (operation) this.counts.aimedKills += 1
    await this.#start(stage, signal)
  }

  /** Waits until S3 did something and the server cannot know; undefined when nothing came. */
  async #carriedOut(stage: Stage, signal: AbortSignal): Promise<string | undefined> {
    const operation = this.#random.pick(changes)
    const { promise, resolve } = Promise.withResolvers<string | undefined>()
    const onInjected = () => resolve(operation)
    stage.faults?.fail({ operation, fault: 'hang-after', times: 1, onInjected })
    const timer = setTimeout(() => resolve(undefined), aimMs)
    signal.addEventListener('abort', () => resolve(undefined), { once: true })
    return promise.finally(() => clearTimeout(timer))
  }

  async #stop(stage: Stage, signal: AbortSignal): Promise<void> {
    this.#log('SIGTERM')
    const { code } = await this.#terminate(stage.program)
    this.counts.stops += 1
    if (code !== 0) this.counts.uncleanStops += 1
    await this.#start(stage, signal)
  }

  async #terminate(program: Program): Promise<Exit> {
    this.#expectedToEnd.add(program)
    try {
      return await program.stop()
    } catch (error) {
      throw new Violation(textOf(error))
    }
  }

  /** As somebody who looks after the server does: what cannot reach S3 is started again. */
  async #start(stage: Stage, signal: AbortSignal): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await stage.start()
        this.#log('started')
        this.watchOver(stage.program)
        return
      } catch (error) {
        const text = textOf(error)
        if (attempt === mostStarts || !text.includes('landfall: S3_')) throw new Violation(text)
        this.counts.failedStarts += 1
        this.#log(`a start failed: ${text.split('\n').at(-2)}`)
        await delay(300, undefined, { signal })
      }
    }
  }

  /** For a while, S3 or the network is gone altogether. */
  async #outage(stage: Stage, signal: AbortSignal): Promise<void> {
    const { faults, network } = stage
    const kind = this.#random.pick(['s3', 'stall', 'half-open', 'cut'] as const)
    if (this.#options.without.has(`network ${kind}`)) return
    this.counts.outages += 1
    this.#log(`outage: ${kind}`)
    if (kind === 'cut') network.cutNow()
    else if (kind === 'half-open') network.leaveHalfOpen()
    else if (kind === 'stall') network.stall()
    else {
      faults?.heal()
      faults?.fail(outage(this.#random))
    }
    await delay(this.#random.integer(...outageMs), undefined, { signal })
    network.flow()
    if (kind !== 's3') return
    faults?.heal()
    for (const rule of badDay(this.#options.without)) faults?.fail(rule)
    this.#log('the outage is over')
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
