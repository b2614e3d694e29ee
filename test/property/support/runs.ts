import fc from 'fast-check'

/** After so long what was found is reported, be it as small as it can be or not. */
const limitMs = 90_000

/** The same runs each time, so that a change is to blame for what fails; `PROPERTY_SEED` tries others. */
const usualSeed = 1

/**
 * How often a property is tried. What failed is told with a seed and a path, and with these in
 * `PROPERTY_SEED` and `PROPERTY_PATH` that one test tries the same again; `PROPERTY_FACTOR` tries
 * all of them so many times as often.
 */
export function runs(numRuns: number): fc.Parameters<unknown> {
  const { PROPERTY_SEED: seed, PROPERTY_PATH: path, PROPERTY_FACTOR: factor = '1' } = process.env
  return {
    numRuns: Math.ceil(numRuns * Number(factor)),
    seed: Number(seed ?? usualSeed),
    ...(path && { path }),
    // Without more runs to come it limits how long a failure is made smaller.
    plugins: [fc.interruptAfterTimeLimit(limitMs * Math.max(1, Number(factor)))],
  }
}

/** What a test with properties may take: on a busy machine a failure takes long to be made smaller. */
export const propertyTimeoutMs = 1_000_000
