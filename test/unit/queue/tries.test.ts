import { describe, expect, it } from 'vitest'
import { addTry, errorText, triesOf } from '../../../src/queue/worker/tries.ts'

const job = { tries: null, startedAt: 1, holder: 'here:1:x' }
const ended = { endedAt: 2, outcome: 'failed', error: 'no' } as const
const record = {
  id: 'id',
  kind: 'image.convert',
  state: 'dead',
  payload: {},
  priority: 0,
  attempts: 1,
  maxAttempts: 8,
  createdAt: 0,
  runAt: 0,
  finishedAt: 9,
  lastError: undefined,
} as const

describe('the tries of a job', () => {
  const stored = (tries: string | null, state: 'done' | 'dead' | 'active' | 'queued') => ({
    record: { ...record, state },
    payloadText: '{}',
    tries,
    startedAt: 5,
    holder: 'there:1:x',
  })

  it('are told in their order, with the one that the job itself tells of', () => {
    const tries = addTry(job, ended)
    const first = { startedAt: 1, holder: 'here:1:x', ...ended }
    const last = { startedAt: 5, holder: 'there:1:x', error: undefined }
    expect(triesOf(stored(tries, 'dead'))).toEqual([first])
    expect(triesOf(stored(tries, 'queued'))).toEqual([first])
    expect(triesOf(stored(tries, 'active'))).toEqual([
      first,
      { ...last, endedAt: undefined, outcome: undefined },
    ])
    expect(triesOf(stored(tries, 'done'))).toEqual([
      first,
      { ...last, endedAt: 9, outcome: 'done' },
    ])
  })

  it('are the first 5 and the last 20 of very many', () => {
    let tries: string | null = null
    for (let startedAt = 1; startedAt <= 60; startedAt++) {
      tries = addTry({ ...job, tries, startedAt }, ended)
    }
    const kept = triesOf(stored(tries, 'dead')).map(({ startedAt }) => startedAt)
    expect(kept).toEqual([1, 2, 3, 4, 5, ...Array.from({ length: 20 }, (_, i) => 41 + i)])
  })

  it('begin anew where they cannot be read', () => {
    for (const tries of ['nonsense', '{}', '[{"startedAt":"x"}]']) {
      expect(triesOf(stored(addTry({ ...job, tries }, ended), 'dead'))).toHaveLength(1)
    }
  })
})

describe('the text of an error', () => {
  it('is one that every database takes', () => {
    expect(errorText(new Error('a\0b\ud800'))).toBe('ab\ufffd')
    expect(errorText('plain')).toBe('plain')
  })

  it('is of bounded length, and is cut through no character', () => {
    expect(errorText(new Error('x'.repeat(9_000)))).toHaveLength(2_000)
    expect(errorText(`${'x'.repeat(1_999)}\u{1f600}`)).toBe(`${'x'.repeat(1_999)}\ufffd`)
  })
})
