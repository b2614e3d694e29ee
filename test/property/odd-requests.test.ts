/** Whatever a client says, it is answered, and does harm to nobody else. */
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Program, startProgram } from '../support/program.ts'
import { contentOf } from '../support/storage.ts'
import { Client } from './support/client.ts'
import { oddRequest } from './support/odd-requests.ts'
import { propertyTimeoutMs, runs } from './support/runs.ts'

const tus = { 'Tus-Resumable': '1.0.0' }
const bytesType = { 'Content-Type': 'application/offset+octet-stream' }
const content = contentOf(20)

describe('a request with anything in its fields', () => {
  let program: Program
  let client: Client
  /** Uploads of others: one half there, one complete. */
  let half: string
  let whole: string

  beforeAll(async () => {
    program = await startProgram({
      env: { LOG_LEVEL: 'info', MAX_UPLOAD_SIZE: '1MiB', TRUST_PROXY: 'true' },
    })
    client = new Client(program.url)
    half = await create(content.subarray(0, 10))
    whole = await create(content)
  })
  afterAll(async () => {
    client[Symbol.dispose]()
    await program[Symbol.asyncDispose]()
  })
  afterEach(() => {
    const failures = program.logs.filter(({ level }) => Number(level) >= 50)
    expect(failures).toEqual([])
    expect(program.running).toBe(true)
  })

  async function create(body: Buffer, more: Record<string, string> = {}): Promise<string> {
    const length = { 'Upload-Length': String(content.length) }
    const headers = { ...tus, ...bytesType, ...length, ...more }
    const answer = await client.ask({ method: 'POST', path: '/files', headers, body })
    expect(answer.status).toBe(201)
    return new URL(answer.headers.location ?? '', program.url).pathname
  }

  async function expectUntouched(): Promise<void> {
    const standing = async (path: string) =>
      (await client.ask({ method: 'HEAD', path, headers: tus })).headers['upload-offset']
    expect(await standing(half)).toBe('10')
    expect(await standing(whole)).toBe('20')
    const path = `${whole.replace('/files/', '/v1/uploads/')}/content`
    expect((await client.ask({ method: 'GET', path })).body).toEqual(content)
  }

  it(
    'is answered without an error of the server, and touches no other upload',
    async () => {
      const targets = ['T:half', 'T:whole', 'T:partial']
      const requests = fc.array(oddRequest(targets), { minLength: 1, maxLength: 6 })
      await fc.assert(
        fc.asyncProperty(requests, async (requests) => {
          const own = {
            'T:half': await create(content.subarray(0, 5)),
            'T:whole': await create(content),
            'T:partial': await create(content, { 'Upload-Concat': 'partial' }),
          }
          for (const { path, ...request } of requests) {
            const at = path.replace(/^T:\w+/, (name) => own[name as keyof typeof own])
            const { status } = await client.ask({ ...request, path: at })
            expect(status).toBeGreaterThanOrEqual(200)
            expect(status).toBeLessThan(500)
          }
          await expectUntouched()
        }),
        runs(150),
      )
    },
    propertyTimeoutMs,
  )
})
