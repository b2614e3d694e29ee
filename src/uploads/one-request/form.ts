/** Forms with a file in them (RFC 7578), read as they arrive. */
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { Dicer } from '@fastify/busboy'
import { parse as parseDisposition } from 'content-disposition'
import { AppError } from '../../errors.ts'
import { RequestBody } from '../body.ts'

/** The field that the file is in. */
export const fileField = 'file'

/** Bytes of a form that are not the file's: other fields, and what is written around them. */
export const mostAround = 256 * 1024
const mostParts = 100
/** Bytes, and lines, of the head of one part. Dicer leaves out what is beyond. */
const partHead = { maxHeaderSize: 16 * 1024, maxHeaderPairs: 32 }

/** A file in a form, of which no more than the beginning has been read. */
export interface FormFile extends Disposable {
  /** As the client wrote it. */
  readonly filename: string
  readonly contentType: string | undefined
  /**
   * The file's bytes. It ends once all of the form has come and is as it should be; otherwise it
   * breaks, with an AppError `bad-form` (400) or with what the request broke with.
   */
  readonly content: Readable
  /** What the form broke with, if it did. */
  readonly failure: unknown
}

interface Part {
  readonly name: string | undefined
  readonly filename: string | undefined
  readonly contentType: string | undefined
}

/**
 * Reads a form up to the file in its field `file`. To be disposed of: nothing more is read of the
 * request then.
 * @throws AppError `bad-form` (400) for a form without one, or that is none.
 */
export async function openForm(request: Readable, boundary: string): Promise<FormFile> {
  const form = new Form(boundary)
  const reading = form.read(request)
  await Promise.race([form.found, reading])
  const { file } = form
  if (!file) throw form.failure ?? badForm(`There is no file in its field "${fileField}".`)
  return file
}

class Form {
  readonly #parser: Dicer
  readonly #stop = new AbortController()
  readonly #found = Promise.withResolvers<void>()
  readonly #finished = Promise.withResolvers<void>()
  readonly #fileRead = Promise.withResolvers<void>()
  readonly #content: Readable
  #part: Readable | undefined
  #fileBytes = 0
  #parts = 0
  #file: FormFile | undefined
  #failure: unknown
  #isFinished = false

  constructor(boundary: string) {
    this.#parser = new Dicer({ boundary, ...partHead })
    this.#parser
      .on('part', (part) => this.#begin(part))
      .on('finish', () => {
        this.#isFinished = true
        this.#finished.resolve()
      })
      .on('error', () => this.#fail(badForm('It ends before its last boundary.')))
    this.#content = new Readable({ read: () => void this.#part?.resume() })
    // It may break while nobody listens yet, who then sees that it did.
    this.#content.on('error', () => {})
  }

  /** Resolves once the file was come to. */
  get found(): Promise<void> {
    return this.#found.promise
  }

  get file(): FormFile | undefined {
    return this.#file
  }

  get failure(): unknown {
    return this.#failure
  }

  /** Reads until the end, or until that is of no use any more. Never rejects. */
  async read(request: Readable): Promise<void> {
    const body = new RequestBody(request, { until: this.#stop.signal, limit: Infinity })
    try {
      let taken = 0
      for await (const chunk of body) {
        taken += chunk.length
        await this.#write(chunk)
        if (taken - this.#fileBytes > mostAround + chunk.length) throw tooMuchAround()
      }
      if (body.ended) await this.#end()
    } catch (error) {
      this.#fail(error)
    }
  }

  /** What follows the last boundary means nothing; the parser may not even say that it took it. */
  async #write(chunk: Buffer): Promise<void> {
    if (this.#isFinished || this.#parser.write(chunk)) return
    const drained = once(this.#parser, 'drain', { signal: this.#stop.signal })
    await Promise.race([drained, this.#finished.promise])
  }

  /** The end of the request is the end of the form only behind its last boundary. */
  async #end(): Promise<void> {
    this.#parser.end()
    await this.#finished.promise
    // The parser may have come to the end while bytes of the file wait for whoever reads it slowly.
    if (this.#file) await this.#fileRead.promise
    if (this.#failure === undefined) this.#content.push(null)
  }

  #begin(part: Readable): void {
    this.#parts += 1
    // Of one that is cut off the parser tells itself.
    part.on('error', () => {})
    part.once('header', (head: unknown) => {
      try {
        this.#take(part, readHead(head))
      } catch (error) {
        this.#fail(error)
        part.resume()
      }
    })
  }

  #take(part: Readable, { name, filename, contentType }: Part): void {
    if (this.#parts > mostParts) throw badForm('It has too many parts.')
    if (filename === undefined) {
      part.resume()
      return
    }
    if (name !== fileField) throw badForm(`A file has to be in the field "${fileField}".`)
    if (filename === '') throw badForm('No file was chosen.')
    if (this.#file) throw badForm('It has more than one file.')
    this.#part = part
    part.on('data', (chunk: Buffer) => {
      this.#fileBytes += chunk.length
      if (!this.#content.push(chunk)) part.pause()
    })
    part.once('end', () => this.#fileRead.resolve())
    const failure = () => this.#failure
    this.#file = {
      filename,
      contentType,
      content: this.#content,
      get failure() {
        return failure()
      },
      [Symbol.dispose]: () => this.#close(),
    }
    this.#found.resolve()
  }

  #fail(error: unknown): void {
    if (this.#stop.signal.aborted) return
    this.#failure = error
    this.#close()
  }

  #close(): void {
    this.#stop.abort()
    this.#content.destroy(this.#failure instanceof Error ? this.#failure : undefined)
  }
}

/** @param head the fields by their names in small letters, each byte a character. */
function readHead(head: unknown): Part {
  const disposition = fieldOf(head, 'content-disposition')
  if (disposition === undefined)
    return { name: undefined, filename: undefined, contentType: undefined }
  const { type, parameters } = parseDisposition(disposition, { multipart: true })
  if (type !== 'form-data') throw badForm('A part of it is no field.')
  return {
    name: parameters.name,
    filename: parameters.filename,
    contentType: fieldOf(head, 'content-type'),
  }
}

function fieldOf(head: unknown, name: string): string | undefined {
  if (typeof head !== 'object' || head === null) return undefined
  const values: unknown = Reflect.get(head, name)
  const value: unknown = Array.isArray(values) ? values[0] : undefined
  return typeof value === 'string' ? Buffer.from(value, 'latin1').toString('utf8') : undefined
}

function tooMuchAround(): AppError {
  return badForm(`Besides the file it has more than ${mostAround} bytes.`)
}

/** Said with what is wrong about a form. */
export function badForm(reason: string): AppError {
  return new AppError('bad-form', 400, `The form cannot be used. ${reason}`)
}
