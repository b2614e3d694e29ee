/** Uploads as those who send them have them in mind. */
import type { Random } from '../../test/support/random.ts'
import type { Client } from './client.ts'
import type { Division, Whole } from './concatenation.ts'
import type { Content } from './contents.ts'
import type { Dialect } from './dialect.ts'
import { ietfDialect } from './ietf-dialect.ts'
import { drawPlan, type Plan } from './plan.ts'
import { finalDialect, tusDialect } from './tus-dialect.ts'
import { Watch } from './watch.ts'

/** An upload that is under way, or left for later. */
export interface Open {
  readonly watch: Watch
  readonly plan: Plan
  dialect(random: Random): Dialect
  /** What it is made of, if it is sent in parts. */
  readonly made?: { readonly division: Division; readonly parts: readonly Open[] }
}

export interface Wanted {
  readonly name: string
  readonly content: Content
  readonly plan: Plan
  readonly division?: Division | undefined
  /** For what is drawn for the parts. */
  readonly random?: Random
}

export interface OpenOptions {
  readonly without: ReadonlySet<string>
  readonly countsInBetween: boolean
}

/** What the crowd lends. */
export interface Hands {
  bring(open: Open, end: number, random: Random): Promise<void>
  use<T>(open: Open, random: Random, work: (client: Client) => Promise<T>): Promise<T>
}

/** Uploads in parts that are left in the middle, besides those that any may be. */
const leftShare = 0.2

export function openUpload(wanted: Wanted, options: OpenOptions): Open {
  const { division, random } = wanted
  return division && random
    ? openFinal(wanted, division, random, options)
    : openSingle(wanted, options)
}

function openSingle({ name, content, plan }: Wanted, { countsInBetween }: OpenOptions): Open {
  const { interop, isDeferred, role } = plan
  const watch = new Watch(name, content, {
    isDeferred,
    countsInBetween,
    ...(interop && { completes: 'when it is said' }),
  })
  if (role === 'part') watch.concat = 'partial'
  return {
    watch,
    plan,
    dialect: (random) =>
      interop ? ietfDialect(watch, plan, random, interop) : tusDialect(watch, plan, random),
  }
}

function openFinal(
  { name, content, plan: drawn }: Wanted,
  division: Division,
  random: Random,
  options: OpenOptions,
): Open {
  const fate = random.chance(leftShare)
    ? random.pick(['dropped', 'forgotten'] as const)
    : drawn.fate
  const plan: Plan = {
    ...drawn,
    role: 'final',
    fate,
    interop: undefined,
    asksInOther: 0,
    claims: 0,
  }
  const watch = new Watch(name, content, { isFinal: true, completes: 'when it is said' })
  watch.sending(content.size, content.size)
  watch.completing()
  const without = new Set([...options.without, 'ietf'])
  const parts = division.parts.map((part, index) => {
    const { size } = part
    // One of them at least is not complete when the whole is left.
    const most = index === 0 ? Math.max(size - 1, 0) : size
    const leftAt = random.integer(0, most)
    const plan: Plan = { ...drawPlan(random, size, without), role: 'part', leftAt }
    return openSingle({ name: `${name} part ${index}`, content: part, plan }, options)
  })
  return {
    watch,
    plan,
    dialect: () => finalDialect(watch, watch.concat ?? ''),
    made: { division, parts },
  }
}

/** An upload that is sent in parts, in the hands of the crowd; undefined: it is not. */
export function wholeOf(open: Open, random: Random, hands: Hands): Whole | undefined {
  const { watch, made } = open
  if (!made) return undefined
  return {
    watch,
    division: made.division,
    use: (work) => hands.use(open, random, work),
    parts: made.parts.map((part) => ({
      watch: part.watch,
      leftAt: part.plan.leftAt,
      use: (work) => hands.use(part, random, work),
      bring: (end) => hands.bring(part, end, random),
    })),
  }
}

export function describeOpen({ watch, plan, made }: Open): string {
  const { size, isPhoto } = watch.content
  const { fate, chunk, sentAtOnce, isDeferred, hasCompanion, interop, claims } = plan
  const kind = `${isPhoto ? 'a photo' : 'random bytes'}, ${size} bytes`
  if (made) {
    const { order, isEarly } = made.division
    const parts = order.map((index) => made.parts[index]?.watch.content.size).join(' + ')
    return `${kind}, joined of ${parts}${isEarly ? ', asked for early' : ''}, to be ${fate}`
  }
  const how = [
    ...(interop ? [`IETF version ${interop}`] : []),
    ...(isDeferred ? ['deferred length'] : []),
    ...(hasCompanion ? ['two clients'] : []),
    ...(claims > 0 ? ['with digests'] : []),
  ]
  return `${[kind, ...how].join(', ')}, ${sentAtOnce} at once, then ${chunk.join(' to ')} a request, to be ${fate}`
}
