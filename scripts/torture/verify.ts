/** Whether what was acknowledged is there, byte for byte. */
import type { IncomingMessage } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import type { Tally } from './report.ts'
import type { Watch } from './watch.ts'
import { BrokenRequest, newAgent, open } from './wire.ts'

export interface VerifyOptions {
  readonly apiUrl: string
  readonly tally: Tally
  readonly signal: AbortSignal
  readonly stillHopeful: (watch: Watch, what: string) => void
}

const pauseMs = 200
const patienceMs = 20_000

/** Waits until a completed upload is `stored`. */
export async function untilStored(watch: Watch, options: VerifyOptions): Promise<void> {
  for (;;) {
    const upload = await readJson(watch, `/v1/uploads/${watch.id}`, options)
    const state = upload?.state
    if (state === 'stored') return
    if (state === 'failed') throw watch.violation('it was acknowledged, and now it is failed')
    await pause(watch, 'be stored', options)
  }
}

/** Waits until its image is `ready` or `failed`, and returns which. */
export async function untilConverted(watch: Watch, options: VerifyOptions): Promise<string> {
  for (;;) {
    const image = await readJson(watch, `/v1/images/${watch.id}`, options)
    const state = image?.state
    if (typeof state === 'string' && state !== 'processing') return state
    await pause(watch, 'be converted', options)
  }
}

/** Nothing is made of an upload that is a part of another one. */
export async function expectNoImage(watch: Watch, options: VerifyOptions): Promise<void> {
  const path = `/v1/images/${watch.id}`
  for (;;) {
    const found = await read(path, options)
    if (found?.status === 404) return
    if (found && found.status !== 503) {
      throw watch.violation(`it is a part, and GET ${path} was answered ${found.status}`)
    }
    await pause(watch, 'be asked about', options)
  }
}

/** Reads the content and compares it; goes on with a range when the connection breaks. */
export async function compareContent(watch: Watch, options: VerifyOptions): Promise<void> {
  let position = 0
  for (;;) {
    const read = await compareFrom(watch, position, options)
    position += read ?? 0
    if (read !== undefined && position === watch.content.size) break
    await pause(watch, 'be read', options)
  }
  options.tally.verified += 1
}

/** How many bytes came from there on, all of them right; undefined when there was no such answer. */
async function compareFrom(watch: Watch, position: number, options: VerifyOptions) {
  const agent = newAgent()
  try {
    const url = `${options.apiUrl}/v1/uploads/${watch.id}/content`
    const headers = position > 0 ? { Range: `bytes=${position}-` } : {}
    const { signal } = options
    const answer = await open(agent, { method: 'GET', url, headers, patienceMs, signal })
    if (answer.statusCode === (position > 0 ? 206 : 200)) {
      return await compareBody(watch, position, answer)
    }
    answer.resume()
    if (answer.statusCode === 503) return undefined
    throw watch.violation(`its content was answered ${answer.statusCode}`)
  } catch (error) {
    return rethrowUnlessBroken(error)
  } finally {
    agent.destroy()
  }
}

/** How many bytes came; every one of them was right. */
async function compareBody(watch: Watch, start: number, body: IncomingMessage): Promise<number> {
  const { content } = watch
  const expected = new ByteSource(content.read(start, content.size))
  let position = start
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      const wanted = expected.take(chunk.length)
      if (!wanted.equals(chunk)) {
        const at = [...chunk.keys()].find((index) => chunk[index] !== wanted[index]) ?? 0
        throw watch.violation(`its content differs at byte ${position + at}`)
      }
      position += chunk.length
    }
  } catch (error) {
    rethrowUnlessBroken(error)
    return position - start
  }
  if (position !== content.size) throw watch.violation(`its content ends at byte ${position}`)
  return position - start
}

/** Pieces of any size out of pieces of other sizes. */
class ByteSource {
  #rest: Buffer = Buffer.alloc(0)
  readonly #pieces: Iterator<Buffer>

  constructor(pieces: Iterable<Buffer>) {
    this.#pieces = pieces[Symbol.iterator]()
  }

  /** The next bytes; fewer when there are no more. */
  take(size: number): Buffer {
    const taken = [this.#rest]
    let length = this.#rest.length
    while (length < size) {
      const { value, done } = this.#pieces.next()
      if (done) break
      taken.push(value)
      length += value.length
    }
    const all = taken.length === 1 ? this.#rest : Buffer.concat(taken)
    this.#rest = all.subarray(size)
    return all.subarray(0, size)
  }
}

async function readJson(
  watch: Watch,
  path: string,
  options: VerifyOptions,
): Promise<Record<string, unknown> | undefined> {
  const found = await read(path, options)
  if (!found || found.status === 503) return undefined
  if (found.status !== 200) throw watch.violation(`GET ${path} was answered ${found.status}`)
  return JSON.parse(found.text) as Record<string, unknown>
}

/** undefined when no answer came. */
async function read(path: string, { apiUrl, signal }: VerifyOptions) {
  const agent = newAgent()
  try {
    const url = `${apiUrl}${path}`
    const answer = await open(agent, { method: 'GET', url, patienceMs, signal })
    let text = ''
    for await (const chunk of answer) text += chunk
    return { status: answer.statusCode ?? 0, text }
  } catch (error) {
    return rethrowUnlessBroken(error)
  } finally {
    agent.destroy()
  }
}

/** Errors with a code are those of a connection that breaks in the middle of an answer. */
function rethrowUnlessBroken(error: unknown): undefined {
  if (error instanceof BrokenRequest || (error instanceof Error && 'code' in error)) return
  throw error
}

async function pause(watch: Watch, what: string, options: VerifyOptions): Promise<void> {
  options.stillHopeful(watch, what)
  await delay(pauseMs, undefined, { signal: options.signal })
}
