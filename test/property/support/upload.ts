/** An upload as its clients know it. */
import { expect } from 'vitest'
import type { Answer } from './client.ts'
import type { Speech } from './operations.ts'
import type { Prediction, Standing, State } from './predictions.ts'

/** What became of bytes that nobody acknowledged. */
export interface Unsure {
  /** The bytes of one request or another: some of the first of one of them may count. */
  readonly sent: readonly Buffer[]
  /** Whether the number of those that count is one that may be. */
  readonly mayTake: (taken: number) => boolean
  readonly lengths: readonly (number | undefined)[]
  /** Whether it may be in a state, at an offset. */
  readonly mayBe: (seen: Standing) => boolean
}

export class ModelUpload implements Standing {
  readonly path: string
  readonly metadata: string | undefined
  /** What it may hold: more than one when two requests raced and neither was acknowledged. */
  contents: readonly Buffer[]
  length: number | undefined
  state: State

  constructor(path: string, prediction: Prediction, bytes: Buffer | undefined, metadata?: string) {
    this.path = path
    this.metadata = metadata
    this.contents = [Buffer.alloc(0)]
    this.length = prediction.length
    this.state = 'open'
    this.apply(prediction, bytes)
  }

  get offset(): number {
    return this.contents[0]?.length ?? 0
  }

  apply({ taken, length, state }: Prediction, bytes: Buffer = Buffer.alloc(0)): void {
    this.#grow([bytes], taken)
    this.length = length
    this.state = state
  }

  /** Takes over what was seen of it, if that may be. */
  settle(seen: Standing, { sent, mayTake, lengths, mayBe }: Unsure): void {
    if (seen.state === 'open' || seen.state === 'complete') {
      const taken = seen.offset - this.offset
      const most = Math.max(0, ...sent.map(({ length }) => length))
      expect(taken, 'bytes that count').toBeGreaterThanOrEqual(0)
      expect(taken, 'bytes that count').toBeLessThanOrEqual(most)
      expect(mayTake(taken), `${taken} bytes may count`).toBe(true)
      expect(lengths, 'the length').toContain(seen.length)
      this.#grow(sent, taken)
      this.length = seen.length
    }
    expect(mayBe(seen), `it may be ${seen.state}`).toBe(true)
    this.state = seen.state
  }

  /** That an answer to HEAD tells what is known. */
  expectHead(speech: Speech, { status, headers }: Answer): void {
    if (this.state === 'void' || this.state === 'removed') {
      const gone = this.state === 'void' && (speech === 'tus' || speech > 6)
      expect(status, 'the status of HEAD').toBe(gone ? 410 : 404)
      if (speech === 'tus') expect(headers['upload-offset']).toBeUndefined()
      return
    }
    expect(status, 'the status of HEAD').toBe(speech === 'tus' ? 200 : 204)
    expect(headers['cache-control']).toBe('no-store')
    expect(headers['upload-offset'], 'the offset').toBe(String(this.offset))
    const isComplete = this.state === 'complete'
    if (speech !== 'tus') {
      const completeness = speech === 3 ? 'upload-incomplete' : 'upload-complete'
      expect(headers[completeness]).toBe(isComplete === (speech !== 3) ? '?1' : '?0')
      expect(headers['upload-length'], 'the length').toBe(this.length?.toString())
      return
    }
    const isOpen = this.length === undefined || (!isComplete && this.offset === this.length)
    expect(headers['upload-defer-length']).toBe(isOpen ? '1' : undefined)
    expect(headers['upload-length']).toBe(isOpen ? undefined : String(this.length))
    expect(headers['upload-metadata']).toBe(this.metadata)
    expect(headers['upload-expires'] === undefined).toBe(isComplete)
  }

  #grow(sent: readonly Buffer[], taken: number): void {
    if (taken === 0) return
    const possible = sent.filter(({ length }) => length >= taken)
    this.contents = this.contents.flatMap((content) =>
      possible.map((bytes) => Buffer.concat([content, bytes.subarray(0, taken)])),
    )
  }
}

/** What an answer to HEAD by the newest draft says; its state is unknown when it is no more. */
export function standingIn({ status, headers }: Answer): Standing {
  if (status === 410) return { offset: 0, length: undefined, state: 'void' }
  if (status === 404) return { offset: 0, length: undefined, state: 'removed' }
  expect(status).toBe(204)
  const length = headers['upload-length']
  return {
    offset: Number(headers['upload-offset']),
    length: length === undefined ? undefined : Number(length),
    state: headers['upload-complete'] === '?1' ? 'complete' : 'open',
  }
}
