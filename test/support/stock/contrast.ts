import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { ProductSettings } from './product.ts'
import type { StoreKind } from './stores.ts'
import { startTarget, type Target } from './targets.ts'

export interface Contrast extends ProductSettings {
  readonly on: readonly StoreKind[]
  /** What the stock stack fails at: the beginning of the message of the expectation it breaks. */
  readonly stockFails: string
}

const timeoutMs = 120_000
const lookEveryMs = 50
const needsRealS3 =
  'It lists parts, which the S3 service of the tests cannot; S3_TEST_ENDPOINT can name another.'

/**
 * One body, run against Landfall, which has to pass, and against the stock stack, which has to fail
 * at the expectation that is named, and at no other: what goes wrong in another way, such as a
 * request without an answer, is no proof of anything.
 */
export function contrast(
  title: string,
  { on, stockFails, ...settings }: Contrast,
  body: (target: Target) => Promise<void>,
): void {
  describe(title, { timeout: timeoutMs }, () => {
    it.for(on)('Landfall on %s: yes', async (kind) => {
      await using target = await startTarget('landfall', kind, settings)
      await body(target)
    })

    it.for(on)('stock on %s: no', async (kind, { skip }) => {
      if (kind === 's3' && !process.env.S3_TEST_ENDPOINT) {
        console.info(`${title}: not compared with the stock stack. ${needsRealS3}`)
        skip(needsRealS3)
      }
      await using target = await startTarget('stock', kind, settings)
      const failure = await body(target).then(
        () => undefined,
        (error: unknown) => error,
      )
      if (isFailedExpectation(failure, stockFails)) return
      throw new Error(`the stock stack was to fail at: ${stockFails}\n${target.stderr}`, {
        cause: failure,
      })
    })
  })
}

function isFailedExpectation(error: unknown, beginning: string): boolean {
  return (
    error instanceof Error && error.name === 'AssertionError' && error.message.startsWith(beginning)
  )
}

/**
 * Expects something to come true by itself, within the time the target may take for that.
 *
 * @param leastMs the time it is given in any case.
 */
export async function expectInTheEnd(
  target: Target,
  what: string,
  look: () => Promise<boolean>,
  leastMs = 0,
): Promise<void> {
  const deadline = performance.now() + Math.max(leastMs, target.patienceMs)
  let seen = await look()
  while (!seen && performance.now() < deadline) {
    await delay(lookEveryMs)
    seen = await look()
  }
  expect(seen, what).toBe(true)
}
