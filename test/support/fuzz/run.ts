/** Sends as many requests as wanted to a running server, and says what was wrong with its answers. */
import fc from 'fast-check'
import { inSeconds, tokenOf } from '../tokens.ts'
import { Checker } from './check.ts'
import type { ApiDocument } from './document.ts'
import { type CallerName, type Draft, draftsFor } from './drafts.ts'
import { curlOf, type FuzzRequest, requestOf } from './requests.ts'
import { type FuzzAnswer, Sender } from './send.ts'
import { Pool } from './slots.ts'
import { jsonOf, sowUpload, useLink } from './sow.ts'

export interface FuzzOptions {
  /** The server's. */
  readonly url: string
  readonly document: ApiDocument
  /** Requests to send. */
  readonly runs: number
  /** The same one sends the same requests, but for the ids that the server gives out. */
  readonly seed: number
  /** Files to send; the first is an image. */
  readonly contents: readonly Buffer[]
}

export interface FuzzReport {
  /** Every kind of fault once: how often it was seen, and a request that shows it. */
  readonly faults: readonly string[]
  /** How often each operation was answered how: `GET /v1/images` → `200` → 12. */
  readonly answers: ReadonlyMap<string, ReadonlyMap<number, number>>
}

/** Requests at the same time; enough to find what goes wrong only then. */
const atOnce = 8

/** Requests are thought up in batches, since thousands of them take memory. */
const batchSize = 250

export async function fuzz(options: FuzzOptions): Promise<FuzzReport> {
  const { url, document, runs, seed, contents } = options
  using sender = new Sender(url)
  const tokens = await allTokens()
  const checker = new Checker(document)
  const pool = new Pool()
  const faults = new Faults()
  const answers = new Map<string, Map<number, number>>()

  const tryOne = async (draft: Draft): Promise<void> => {
    const request = requestOf(draft, pool, contents)
    try {
      const answer = await sender.send(request, tokens[request.caller])
      count(answers, request, answer)
      const wrong = checker.check(request, answer)
      if (wrong) faults.add(request, wrong)
      learn(pool, answer)
      if (request.method === 'DELETE' && answer.status < 300) pool.forget(request.path)
      if (answer.status === 201) await useLink(url, request, answer, contents)
    } catch (error) {
      faults.add(request, `is not answered: ${error instanceof Error ? error.message : error}`)
    }
  }

  const drafts = draftsFor(
    document,
    contents.map(({ length }) => length),
  )
  for (let done = 0; done < runs; done += batchSize) {
    for (const token of [tokens.ada, tokens.ben]) {
      await sowUpload(url, token ?? '', contents[0] ?? Buffer.alloc(0), pool)
    }
    const numRuns = Math.min(batchSize, runs - done)
    const batch = fc.sample(drafts, { seed: seed + done, numRuns }).values()
    await Promise.all(
      Array.from({ length: atOnce }, async () => {
        for (const draft of batch) await tryOne(draft)
      }),
    )
  }
  return { faults: faults.told(), answers }
}

async function allTokens(): Promise<Record<CallerName, string | undefined>> {
  const [header, payload] = (await tokenOf('ada')).split('.')
  return {
    nobody: undefined,
    garbage: 'garbage',
    expired: await tokenOf('ada', { exp: inSeconds(-3_600) }),
    'other-secret': `${header}.${payload}.${'A'.repeat(43)}`,
    ada: await tokenOf('ada'),
    ben: await tokenOf('ben'),
    admin: await tokenOf('admin', { scope: 'admin' }),
    storage: await tokenOf('storage', { scope: 'storage-events' }),
  }
}

function learn(pool: Pool, { headers, body }: FuzzAnswer): void {
  if (headers.location) {
    const { pathname } = new URL(headers.location, 'http://server')
    const [, upload] = /^\/files\/([^/]+)$/.exec(pathname) ?? []
    if (upload) pool.add('upload', upload)
  }
  pool.harvest(jsonOf(body))
}

function count(
  answers: Map<string, Map<number, number>>,
  { operation, method }: FuzzRequest,
  { status }: FuzzAnswer,
): void {
  const name = operation ? `${method} ${operation.path}` : 'not documented'
  const statuses = answers.get(name) ?? new Map<number, number>()
  answers.set(name, statuses.set(status, (statuses.get(status) ?? 0) + 1))
}

class Faults {
  readonly #seen = new Map<string, { times: number; readonly example: string }>()

  add(request: FuzzRequest, wrong: string): void {
    const { operation, method, path } = request
    const name = `${method} ${operation?.path ?? path} ${wrong}`
    const fault = this.#seen.get(name) ?? { times: 0, example: curlOf(request) }
    fault.times += 1
    this.#seen.set(name, fault)
  }

  told(): string[] {
    return [...this.#seen].map(
      ([name, { times, example }]) => `${name} (${times} times)\n  ${example.slice(0, 4_000)}`,
    )
  }
}
