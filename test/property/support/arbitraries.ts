import fc from 'fast-check'
import { algorithms } from '../../../src/uploads/requests/hashes.ts'
import { MiB } from '../../support/storage.ts'
import type { Creation, Operation, Sending, Speech } from './operations.ts'

const speech = fc.constantFrom<Speech[]>('tus', 'tus', 'tus', 3, 5, 6, 9, 9, 9)
const seldom = fc.constantFrom(true, false, false, false)
const seed = fc.integer({ min: 1, max: 1e6 })
const share = fc.constantFrom(0, 0.1, 0.5, 0.9, 1)
const upload = fc.nat(5)

const digest = fc.record({
  algorithm: fc.constantFrom(...algorithms),
  isRight: fc.constantFrom(true, true, false),
  inTrailer: fc.boolean(),
})
const bytes = {
  speech,
  chunked: fc.boolean(),
  digest: fc.option(digest, { nil: undefined, freq: 2 }),
  completes: seldom,
  seed,
}

/** Sizes around these make a difference in storage, and in what is held back until it is verified. */
const borders = [5 * MiB, 8 * MiB, 13 * MiB, 16 * MiB, 17 * MiB]
const nearBorder = fc
  .tuple(fc.constantFrom(...borders), fc.integer({ min: -1, max: 1 }))
  .map(([border, off]) => border + off)
const small = fc.oneof(fc.nat(20), fc.nat(4_000), fc.integer({ min: 65_000, max: 300_000 }))
/** Many of several MiB. */
const largeSizes = fc.oneof(nearBorder, nearBorder, small)

/** Mostly small ones, now and then such as make parts. @param large how many of a hundred are. */
export function sizes(large: number): fc.Arbitrary<number> {
  return fc.oneof(
    { weight: 100 - large, arbitrary: small },
    { weight: large, arbitrary: nearBorder },
  )
}

/** What clients do, one thing after the other, beginning with an upload. */
export function sequences(most: number): fc.Arbitrary<Operation[]> {
  const first = fc.record({ kind: fc.constant('create' as const), creation: creationOf(small) })
  return fc
    .tuple(first, fc.array(operationOf(small), { maxLength: most, size: 'max' }))
    .map(([first, others]) => [first, ...others])
}

/** One large upload, in requests of any size that are about right, but for what is said of them. */
export function largeUploads(): fc.Arbitrary<Operation[]> {
  const creation = creationOf(small).map((creation): Creation => {
    const { completes: _, ...rest } = creation
    return { ...rest, completes: false, length: undefined, digest: undefined }
  })
  const sending = fc
    .tuple(sendingOf(largeSizes), fc.option(digest, { nil: undefined, freq: 3 }))
    .map(([sending, digest]) => ({ ...sending, digest, declares: undefined }))
  const upload = fc.constant(0)
  const append = fc.record({ kind: fc.constant('append'), upload, sending, offBy: fc.constant(0) })
  const cut = fc.record({ kind: fc.constant('cut'), upload, sending, share })
  return fc
    .tuple(
      fc.record({ kind: fc.constant('create'), creation }),
      fc.array(fc.oneof({ weight: 3, arbitrary: append }, cut), {
        minLength: 1,
        maxLength: 4,
        size: 'max',
      }),
    )
    .map(([first, others]) => [first, ...others])
}

function operationOf(size: fc.Arbitrary<number>): fc.Arbitrary<Operation> {
  const creation = creationOf(size)
  const sending = sendingOf(size)
  // What is broken completes an upload as often as not.
  const broken = sendingOf(size, fc.boolean())
  const offBy = fc.oneof(
    { weight: 6, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.constantFrom(-1, 1, 5 * MiB) },
  )
  const head = fc.record({ head: speech })
  const by = fc.oneof(sending, sending, head, head, fc.record({ delete: speech }))
  const all: [number, fc.Arbitrary<Operation>][] = [
    [5, fc.record({ kind: fc.constant('create'), creation })],
    [2, fc.record({ kind: fc.constant('cut creation'), creation, share })],
    [12, fc.record({ kind: fc.constant('append'), upload, sending, offBy })],
    [4, fc.record({ kind: fc.constant('cut'), upload, sending: broken, share })],
    [2, fc.record({ kind: fc.constant('head'), upload, speech })],
    [1, fc.record({ kind: fc.constant('delete'), upload, speech })],
    [1, fc.record({ kind: fc.constant('get'), upload })],
    [5, fc.record({ kind: fc.constant('take over'), upload, sending: broken, share, by })],
    [2, fc.record({ kind: fc.constant('race'), upload, one: sending, other: sending })],
  ]
  return fc.oneof(...all.map(([weight, arbitrary]) => ({ weight, arbitrary })))
}

function sendingOf(
  size: fc.Arbitrary<number>,
  completes: fc.Arbitrary<boolean> = seldom,
): fc.Arbitrary<Sending> {
  return fc.record({
    ...bytes,
    completes,
    size: fc.oneof(size, fc.record({ rest: fc.constantFrom(0, 0, 0, -1, 1, 40) })),
    declares: fc.oneof(
      { weight: 5, arbitrary: fc.constant(undefined) },
      { weight: 2, arbitrary: fc.constantFrom(0, 0, 5, 3_000, -1) },
    ),
  })
}

function creationOf(size: fc.Arbitrary<number>): fc.Arbitrary<Creation> {
  return fc
    .record({
      ...bytes,
      size: fc.option(size, { nil: undefined, freq: 2 }),
      length: seldomNot(size),
    })
    .map(likely)
}

const seldomNot = (size: fc.Arbitrary<number>) => fc.option(size, { nil: undefined, freq: 4 })

/** Makes most of them such as agree with themselves. */
function likely(creation: Creation): Creation {
  const { speech, completes, seed, size, length } = creation
  if (seed % 5 === 0) return creation
  if (speech !== 'tus' && completes) return { ...creation, length: undefined }
  if (size === undefined || length === undefined) return creation
  return { ...creation, size: size % (length + 1) }
}
