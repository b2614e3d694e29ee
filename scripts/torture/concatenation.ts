/** Uploads that are sent in parts, which the server joins (tus: Concatenation). */
import type { Random } from '../../test/support/random.ts'
import type { Client } from './client.ts'
import { type Content, joined, noise, type PhotoAlbum, photo, slice } from './contents.ts'
import type { Tally } from './report.ts'
import type { Watch } from './watch.ts'

/** How an upload is divided. */
export interface Division {
  /** What it is as a whole. */
  readonly content: Content
  readonly parts: readonly Content[]
  /** Which of the parts follow each other; one of them may do so twice. */
  readonly order: readonly number[]
  /** Whether it is asked for before the parts are complete. */
  readonly isEarly: boolean
  /** Whether one of the parts is deleted first, when all of it is. */
  readonly fallsApart: boolean
  /** Whether the parts are named by absolute URLs. */
  readonly isAbsolute: boolean
}

/** An upload with a client that sends it. */
export interface Part {
  readonly watch: Watch
  use<T>(work: (client: Client) => Promise<T>): Promise<T>
  /** Creates it unless it is there, and sends it up to there. */
  bring(end: number): Promise<void>
  /** Where it is left when it is not to be complete. */
  readonly leftAt: number
}

export interface Whole {
  readonly watch: Watch
  readonly parts: readonly Part[]
  readonly division: Division
  use<T>(work: (client: Client) => Promise<T>): Promise<T>
}

const KiB = 2 ** 10
const MiB = 2 ** 20
const joinedShare = 0.18
const againShare = 0.3

/** Draws how an upload is divided, and its content; undefined: it is not divided. */
export function drawDivision(
  random: Random,
  album: PhotoAlbum,
  without: ReadonlySet<string>,
): Division | undefined {
  const isDivided = random.chance(joinedShare)
  if (!isDivided || without.has('concatenation')) return undefined
  const choices = {
    isEarly: random.chance(0.5),
    isAbsolute: random.chance(0.3),
    fallsApart: random.chance(0.4),
  }
  if (random.chance(0.2)) return { ...dividedPhoto(random, album), ...choices }
  const seed = random.integer(0, 2 ** 40)
  const count = random.integer(2, 5)
  const parts = range(count).map((index) => noise(drawPartSize(random), `${seed}-${index}`))
  const order = range(count)
  if (random.chance(0.2)) order.push(random.pick(order))
  const all = order.map((index) => parts[index] as Content)
  return { content: joined(`${seed}.bin`, all), parts, order, ...choices }
}

function dividedPhoto(random: Random, album: PhotoAlbum) {
  const content = photo(random.pick(album))
  const cuts = range(random.integer(1, 4)).map(() => random.integer(0, content.size))
  const borders = [0, ...cuts.sort((a, b) => a - b), content.size]
  const parts = range(borders.length - 1).map((index) =>
    slice(content, borders[index] ?? 0, borders[index + 1] ?? content.size),
  )
  return { content, parts, order: range(parts.length) }
}

/** What S3 takes as a part begins at 5 MiB, and what goes there at once at 8 MiB. */
function drawPartSize(random: Random): number {
  if (random.chance(0.05)) return 0
  const [min, max] = random.pick([
    [1, 4 * KiB],
    [1, 300 * KiB],
    [300 * KiB, 5 * MiB],
    [5 * MiB - 1, 5 * MiB + 1],
    [8 * MiB - 1, 8 * MiB + 1],
    [5 * MiB, 10 * MiB],
  ] as const)
  return random.integer(min, max)
}

/** Sends the parts, all at the same time, and asks for the whole; both again, if they were before. */
export async function bringTogether(
  whole: Whole,
  isLeft: boolean,
  random: Random,
  tally: Tally,
): Promise<void> {
  const { watch, parts, division } = whole
  await Promise.all(parts.map((part) => part.bring(0)))
  watch.concat = nameParts(whole)
  const ask = () => {
    watch.takenUpAt = Date.now()
    return whole.use((client) => client.create())
  }
  const sent = () =>
    Promise.all(parts.map((part) => part.bring(isLeft ? part.leftAt : part.watch.content.size)))
  if (division.isEarly) await Promise.all([askEarly(whole, ask, tally), sent()])
  else await sent()
  const asksNow = !division.isEarly && !isLeft
  if (asksNow) await ask()
  if (!isLeft && random.chance(againShare)) await ask()
}

/** Asks for the whole while its parts are on their way, and looks at it. */
async function askEarly(
  { watch, use }: Whole,
  ask: () => Promise<void>,
  tally: Tally,
): Promise<void> {
  if (watch.url === undefined) tally.early += 1
  await ask()
  await use((client) => client.ask())
}

/** The parts of an upload that has their bytes are as complete as they were. */
export async function lookAtParts({ parts }: Whole): Promise<void> {
  for (const part of parts) await part.use((client) => client.ask())
}

/** Deletes the whole, and its parts with it; each of these alone when there is no whole (any more). */
export async function removeTogether(whole: Whole): Promise<void> {
  const { watch, parts } = whole
  if (watch.url === undefined || (await isFallenApart(whole))) {
    await Promise.all(parts.map((part) => part.use((client) => client.remove())))
    return
  }
  for (const part of parts) part.watch.deleting()
  await whole.use((client) => client.remove())
  for (const part of parts) await expectGone(part, 'what it is a part of was deleted')
}

/** What waits for a part that is deleted will never be. The record of that stays for a while. */
async function isFallenApart(whole: Whole): Promise<boolean> {
  const { watch, parts, division } = whole
  const waited = parts.find((part) => !part.watch.isComplete)
  if (!division.fallsApart || !waited) return false
  await waited.use((client) => client.remove())
  watch.deleting()
  await expectGone(whole, 'a part of it was deleted')
  return true
}

async function expectGone({ watch, use }: Pick<Part, 'watch' | 'use'>, why: string) {
  await use((client) => client.ask())
  if (!watch.isDeleted) throw watch.violation(`it is there, and ${why}`)
}

/** `Upload-Concat`, the same at all times. */
function nameParts({ parts, division }: Whole): string {
  const urls = division.order.map((index) => parts[index]?.watch.url ?? '')
  const names = division.isAbsolute ? urls : urls.map((url) => new URL(url).pathname)
  return `final;${names.join(' ')}`
}

const range = (count: number) => [...Array(count).keys()]
