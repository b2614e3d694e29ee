/** What tus extensions promise, with files of several parts, on every way to set Landfall up. */
import { createHash, randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { Api, sha256Of } from '../support/api.ts'
import { deploymentKinds } from '../support/deployments.ts'
import type { Program } from '../support/program.ts'
import { tusHeaders } from '../support/tus-requests.ts'
import { idOf } from '../support/upload.ts'
import { waitFor } from '../support/wait.ts'

const MiB = 2 ** 20
const minute = 60_000
const bytesType = { 'Content-Type': 'application/offset+octet-stream' }

type Headers = Readonly<Record<string, string>>

function client(program: Program) {
  const send = (method: string, path: string, headers: Headers, body?: Buffer) =>
    fetch(new URL(path, program.url), {
      method,
      headers: { ...tusHeaders, ...(body && bytesType), ...headers },
      ...(body && { body: new Uint8Array(body) }),
    })
  const api = new Api(program)
  return {
    send,
    api,
    async create(headers: Headers, body?: Buffer): Promise<string> {
      const answer = await send('POST', '/files', headers, body)
      expect(answer.status).toBe(201)
      return answer.headers.get('Location') ?? ''
    },
    async patch(location: string, offset: number, body: Buffer, headers: Headers = {}) {
      const answer = await send(
        'PATCH',
        location,
        { 'Upload-Offset': `${offset}`, ...headers },
        body,
      )
      return answer.status
    },
    async offset(location: string): Promise<number> {
      return Number((await send('HEAD', location, {})).headers.get('Upload-Offset'))
    },
    async expectContent(location: string, content: Buffer): Promise<void> {
      const id = idOf(new URL(location, program.url).href)
      expect(await api.upload(id)).toMatchObject({ state: 'stored', length: content.length })
      expect(sha256Of(await api.content(id))).toBe(sha256Of(content))
    },
  }
}

const checksumOf = (body: Buffer) => ({
  'Upload-Checksum': `sha256 ${createHash('sha256').update(body).digest('base64')}`,
})

describe.each(deploymentKinds)('on $name', { timeout: 3 * minute }, ({ create }) => {
  it('an upload of deferred length is complete where a part ends, however it is said', async () => {
    await using deployment = await create()
    const { create: begin, patch, expectContent } = client(await deployment.start())
    const content = randomBytes(16 * MiB)
    const deferred = { 'Upload-Defer-Length': '1' }
    const length = { 'Upload-Length': `${content.length}` }

    const afterwards = await begin(deferred, content)
    expect(await patch(afterwards, content.length, Buffer.alloc(0), length)).toBe(204)
    await expectContent(afterwards, content)

    const withTheLast = await begin(deferred, content.subarray(0, 8 * MiB))
    expect(await patch(withTheLast, 8 * MiB, content.subarray(8 * MiB), length)).toBe(204)
    await expectContent(withTheLast, content)

    const before = await begin(deferred)
    expect(await patch(before, 0, Buffer.alloc(0), length)).toBe(204)
    expect(await patch(before, 0, content)).toBe(204)
    await expectContent(before, content)
    expect((await deployment.storedKeys()).length).toBe(3)
  })

  it('bytes that are larger than all memory for them count when they are what they should be', async () => {
    await using deployment = await create()
    const program = await deployment.start({ UPLOAD_MEMORY: '16MiB' })
    const { create: begin, patch, offset, expectContent } = client(program)
    const content = randomBytes(40 * MiB + 17)
    const [start, rest] = [content.subarray(0, 3 * MiB), content.subarray(3 * MiB)]
    const location = await begin({ 'Upload-Length': `${content.length}` }, start)
    const keys = await deployment.storedKeys()

    expect(await patch(location, start.length, rest, checksumOf(start))).toBe(460)
    expect(await offset(location)).toBe(start.length)
    await waitFor(async () => (await deployment.storedKeys()).length <= keys.length, {
      what: 'what did not count to be gone',
    })
    expect(await patch(location, start.length, rest, checksumOf(rest))).toBe(204)
    await expectContent(location, content)
    expect((await deployment.storedKeys()).length).toBe(1)
  })

  it('an upload is made of others, and only it stays', async () => {
    await using deployment = await create()
    const { create: begin, send, expectContent } = client(await deployment.start())
    const content = randomBytes(31 * MiB)
    const cuts = [0, 12 * MiB, 12 * MiB + 5, 18 * MiB, 31 * MiB]
    const parts: string[] = []
    for (const [index, from] of cuts.slice(0, -1).entries()) {
      const part = content.subarray(from, cuts[index + 1])
      const headers = { 'Upload-Concat': 'partial', 'Upload-Length': `${part.length}` }
      parts.push(await begin(headers, part))
    }
    const final = { 'Upload-Concat': `final;${parts.join(' ')}` }
    const location = await begin(final)
    await expectContent(location, content)
    expect(await begin(final)).toBe(location)
    const onlyItself = async () => (await deployment.storedKeys()).length === 1
    await waitFor(onlyItself, { what: 'the parts to be gone' })
    expect((await send('DELETE', location, {})).status).toBe(204)
    const nothing = async () => (await deployment.storedKeys()).length === 0
    await waitFor(nothing, { what: 'storage to be empty' })
    for (const part of parts) expect((await send('HEAD', part, {})).status).toBe(404)
  })
})
