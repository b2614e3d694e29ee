import fc from 'fast-check'
import { afterAll, beforeAll, it } from 'vitest'
import { largeUploads, sequences } from './arbitraries.ts'
import { type Landfall, type Place, startLandfall } from './landfall.ts'
import type { Operation } from './operations.ts'
import { propertyTimeoutMs, runs } from './runs.ts'
import { Session } from './session.ts'

/** How many runs each property gets. */
export interface UploadsRuns {
  readonly any: number
  readonly large: number
}

/** What holds for any sequence of requests, on one server for all of them. */
export function describeUploads(place: Place, { any, large }: UploadsRuns): void {
  let landfall: Landfall

  beforeAll(async () => {
    landfall = await startLandfall(place)
  })
  afterAll(() => landfall[Symbol.asyncDispose]())

  async function holds(operations: readonly Operation[]): Promise<void> {
    using session = new Session(landfall)
    for (const each of operations) await session.do(each)
    await session.finish()
  }

  it(
    'whatever is done to uploads, each of them holds what was acknowledged',
    () => fc.assert(fc.asyncProperty(fc.noBias(sequences(20)), holds), runs(any)),
    propertyTimeoutMs,
  )

  it(
    'a large upload holds what was acknowledged, however its parts came',
    () => fc.assert(fc.asyncProperty(fc.noBias(largeUploads()), holds), runs(large)),
    propertyTimeoutMs,
  )
}
