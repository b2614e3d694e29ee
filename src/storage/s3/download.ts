import { Readable } from 'node:stream'
import { AppError } from '../../errors.ts'
import { storageUnavailable } from '../errors.ts'

/**
 * An object's bytes as they come. The source may be silent for as long as nobody wants to read, but
 * not when somebody does; and bytes that are missing at the end are an error. Both are
 * `storage-unavailable`, and end nothing but this stream.
 */
export class Download extends Readable {
  readonly #source: Readable
  readonly #patience: number
  #missing: number | undefined
  #timer: NodeJS.Timeout | undefined

  /**
   * @param size Bytes that are to come, if the service said so.
   * @param patience Milliseconds to wait for the next ones.
   */
  constructor(source: Readable, size: number | undefined, patience: number) {
    super()
    this.#source = source
    this.#missing = size
    this.#patience = patience
    source.pause()
    source.on('data', (chunk: Buffer) => this.#receive(chunk))
    source.on('end', () => this.#end())
    source.on('error', (error) => this.#fail(error))
    source.on('close', () => this.#fail(new Error('The answer was cut off')))
    // Whoever reads hears of it. Without a reader it must not end the process.
    this.on('error', () => {})
  }

  override _read(): void {
    this.#timer ??= setTimeout(
      () => this.#fail(new Error(`no bytes for ${this.#patience} ms`)),
      this.#patience,
    )
    this.#source.resume()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#rest()
    this.#source.destroy()
    done(error)
  }

  #receive(chunk: Buffer): void {
    if (this.#missing !== undefined) this.#missing -= chunk.length
    this.#timer?.refresh()
    if (this.push(chunk)) return
    this.#rest()
    this.#source.pause()
  }

  #end(): void {
    this.#rest()
    if (!this.#missing) this.push(null)
    else
      this.destroy(storageUnavailable(new Error(`${this.#missing} bytes are missing at the end`)))
  }

  #fail(error: Error): void {
    if (this.readableEnded || this.destroyed || this.#source.readableEnded) return
    this.destroy(error instanceof AppError ? error : storageUnavailable(error))
  }

  #rest(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }
}
