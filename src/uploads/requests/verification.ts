import { type Algorithm, createHasher, type Hash } from './hashes.ts'

/** What a body has to be: called with its digests once all of it has come; throws when it is not. */
export type Judge = (digestOf: (algorithm: Algorithm) => Buffer) => void

/** Takes the digests of the body of one request as it passes, and has them judged at its end. */
export class Verification {
  readonly #hashes: ReadonlyMap<Algorithm, Hash>
  readonly #judge: Judge
  #refused = false

  constructor(algorithms: Iterable<Algorithm>, judge: Judge) {
    this.#hashes = new Map([...algorithms].map((each) => [each, createHasher(each)]))
    this.#judge = judge
  }

  /** Passes a body on. Not a generator: that would keep `return` waiting for a body that stands still. */
  watch(body: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
    return {
      [Symbol.asyncIterator]: () => {
        const chunks = body[Symbol.asyncIterator]()
        return {
          next: async () => {
            const result = await chunks.next()
            if (!result.done) for (const hash of this.#hashes.values()) hash.update(result.value)
            return result
          },
          return: async () => (await chunks.return?.()) ?? { done: true, value: undefined },
        }
      },
    }
  }

  /** Whether all of the body came, and was not what it should have been. */
  get refused(): boolean {
    return this.#refused
  }

  /** To be called once, after the end of the body. @throws what the judge does. */
  verify(): void {
    this.#refused = true
    this.#judge((algorithm) => {
      const hash = this.#hashes.get(algorithm)
      if (!hash) throw new Error(`no ${algorithm} was taken`)
      return hash.digest()
    })
    this.#refused = false
  }
}
