/** What was seen in answers, to be asked for in later requests. */
import { z } from 'zod'
import { seededRandom } from '../random.ts'

export type Kind = 'image' | 'upload' | 'link' | 'post' | 'comment' | 'job' | 'cursor' | 'url'

/**
 * A place in a request for something that exists. It is filled when the request is sent, so that the
 * requests of a seed are the same though the server gives out other ids.
 */
export class Slot {
  readonly kind: Kind
  /** Which one, from the latest back. */
  readonly nth: number

  constructor(kind: Kind, nth: number) {
    this.kind = kind
    this.nth = nth
  }
}

/** How many are remembered of each kind; some of them are gone by the time they are asked for. */
const most = 40

/** Stands for whatever there is none of yet. */
const nothing = '00000000-0000-7000-8000-000000000000'

export class Pool {
  readonly #seen = new Map<Kind, string[]>()
  readonly #random = seededRandom('pool')

  add(kind: Kind, value: string): void {
    const all = this.#seen.get(kind) ?? []
    this.#seen.set(kind, all)
    if (all.includes(value)) return
    all.push(value)
    // Any of them goes, so that a few old ones stay.
    if (all.length > most) all.splice(this.#random.integer(0, most - 1), 1)
  }

  /** What was deleted, which is asked for again only sometimes. */
  forget(path: string): void {
    if (this.#random.chance(0.2)) return
    const [id = ''] = path.split('?')[0]?.split('/').slice(-1) ?? []
    for (const [kind, all] of this.#seen) {
      this.#seen.set(
        kind,
        all.filter((each) => !each.includes(id)),
      )
    }
  }

  all(kind: Kind): readonly string[] {
    return this.#seen.get(kind) ?? []
  }

  fill({ kind, nth }: Slot): string {
    const all = this.all(kind)
    return all.at(-1 - (nth % Math.max(1, all.length))) ?? nothing
  }

  /** Puts what exists into every place for it. */
  fillAll(value: unknown): unknown {
    if (value instanceof Slot) return this.fill(value)
    if (Array.isArray(value)) return value.map((each) => this.fillAll(each))
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, this.fillAll(each)]))
  }

  /** Remembers every id, cursor and URL of an answer. */
  harvest(answer: unknown): void {
    if (Array.isArray(answer)) for (const each of answer) this.harvest(each)
    const fields = z.record(z.string(), z.unknown()).safeParse(answer)
    if (!fields.success || Array.isArray(answer)) return
    const { data } = fields
    const kind = kindOf(data)
    if (kind && typeof data.id === 'string') this.add(kind, data.id)
    for (const [name, value] of Object.entries(data)) {
      if (typeof value !== 'string') this.harvest(value)
      else if (name === 'nextCursor') this.add('cursor', value)
      else if (/url$/i.test(name)) this.add('url', value)
    }
  }
}

function kindOf(fields: Readonly<Record<string, unknown>>): Kind | undefined {
  if ('postId' in fields) return 'comment'
  if ('caption' in fields) return 'post'
  if ('renditions' in fields) return 'image'
  if ('offset' in fields) return 'upload'
  if ('attempts' in fields) return 'job'
  return 'imageUrl' in fields ? 'link' : undefined
}
