import fc from 'fast-check'
import { afterAll, beforeAll, it } from 'vitest'
import { ConcatenationSession } from './concatenation-session.ts'
import { type Landfall, type Place, startLandfall } from './landfall.ts'
import { concatenations } from './partials.ts'
import { propertyTimeoutMs, runs } from './runs.ts'

export interface ConcatenationsOptions {
  readonly runs: number
  /** How many sizes of a hundred are of several MiB. */
  readonly large: number
}

/** What holds for any uploads that another one is made of, on one server for all of them. */
export function describeConcatenations(place: Place, options: ConcatenationsOptions): void {
  let landfall: Landfall

  beforeAll(async () => {
    landfall = await startLandfall(place)
  })
  afterAll(() => landfall[Symbol.asyncDispose]())

  it(
    'a concatenation is the partial uploads one after the other, however and whenever they came',
    async () => {
      await fc.assert(
        fc.asyncProperty(concatenations(options.large), async (concatenation) => {
          using session = new ConcatenationSession(landfall)
          await session.run(concatenation)
        }),
        runs(options.runs),
      )
    },
    propertyTimeoutMs,
  )
}
