import { describe, expect, it } from 'vitest'
import { type RetryPolicy, retryDelay } from '../../../src/queue/retry-policy.ts'

const policy: RetryPolicy = { baseMs: 1_000, maxMs: 10_000, maxAttempts: 5 }
const highest = () => 1
const lowest = () => 0

describe('the pause before a retry', () => {
  it('doubles with every failure', () => {
    expect([1, 2, 3, 4].map((failures) => retryDelay(policy, failures, highest))).toEqual([
      1_000, 2_000, 4_000, 8_000,
    ])
  })

  it('never exceeds the longest', () => {
    expect([5, 6, 2_000].map((failures) => retryDelay(policy, failures, highest))).toEqual([
      10_000, 10_000, 10_000,
    ])
  })

  it('is random from half of it on', () => {
    expect(retryDelay(policy, 3, lowest)).toBe(2_000)
    expect(retryDelay(policy, 3, () => 0.5)).toBe(3_000)
  })
})
