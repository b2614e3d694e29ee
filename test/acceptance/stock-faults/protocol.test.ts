/** What tus 1.0 says, and what it leaves to the mercy of proxies and clients. */
import { createHash, randomBytes } from 'node:crypto'
import { expect } from 'vitest'
import { contrast } from '../../support/stock/contrast.ts'
import type { Target } from '../../support/stock/targets.ts'
import { ask, begin, send } from '../../support/stock/tus-uploads.ts'
import { tusHeaders } from '../../support/tus-requests.ts'

const bytesType = { 'Content-Type': 'application/offset+octet-stream' }
const content = randomBytes(1_000)

const request = (
  { url }: Target,
  method: string,
  path: string,
  headers: Record<string, string>,
  body?: Buffer,
) => fetch(`${url}${path}`, { method, headers, ...(body && { body: new Uint8Array(body) }) })

const create = (target: Target, headers: Record<string, string>) =>
  request(target, 'POST', '/files', { ...tusHeaders, ...headers })

contrast(
  'a version that is not spoken is answered 412, with those that are',
  { on: ['disk'], stockFails: 'the answer' },
  async (target) => {
    const answer = await create(target, { 'Tus-Resumable': '0.2.2', 'Upload-Length': '10' })
    expect(answer.status, 'the answer').toBe(412)
    expect(answer.headers.get('Tus-Version')).toBe('1.0.0')
  },
)

contrast(
  'bytes of another content type are answered 415',
  { on: ['disk'], stockFails: 'the answer' },
  async (target) => {
    const id = await begin(target, content.length)
    const headers = { ...tusHeaders, 'Upload-Offset': '0', 'Content-Type': 'image/png' }
    const answer = await request(target, 'PATCH', `/files/${id}`, headers, content)
    expect(answer.status, 'the answer').toBe(415)
  },
)

contrast(
  'a request that may only be a POST can say what it is',
  { on: ['disk'], stockFails: 'the answer' },
  async (target) => {
    const id = await begin(target, content.length)
    const override = { 'X-HTTP-Method-Override': 'PATCH', 'Upload-Offset': '0' }
    const headers = { ...tusHeaders, ...bytesType, ...override }
    const answer = await request(target, 'POST', `/files/${id}`, headers, content)
    expect(answer.status, 'the answer').toBe(204)
    expect(await target.object(id)).toEqual(content)
  },
)

contrast(
  'bytes that are not those of their checksum do not count',
  { on: ['disk', 's3'], stockFails: 'the answer' },
  async (target) => {
    const id = await begin(target, content.length)
    const sha1 = createHash('sha1').update('something else').digest('base64')
    const headers = {
      ...tusHeaders,
      ...bytesType,
      'Upload-Offset': '0',
      'Upload-Checksum': `sha1 ${sha1}`,
    }
    const answer = await request(target, 'PATCH', `/files/${id}`, headers, content)
    expect(answer.status, 'the answer').toBe(460)
    const { offset } = await ask(target, id)
    expect(offset).toBe(0)
    await send(target, id, 0, content)
    expect(await target.object(id)).toEqual(content)
  },
)

contrast(
  'an upload can be made of others',
  { on: ['disk', 's3'], stockFails: 'the answer' },
  async (target) => {
    const partial = { 'Upload-Concat': 'partial', 'Upload-Length': '500' }
    const parts = [await create(target, partial), await create(target, partial)]
    expect(parts[0]?.status, 'the answer').toBe(201)
    const paths = parts.map(
      ({ headers }) => new URL(headers.get('Location') ?? '/', target.url).pathname,
    )
    const ids = paths.map((path) => path.split('/').at(-1) ?? '')
    for (const [index, id] of ids.entries()) {
      await send(target, id, 0, content.subarray(index * 500, (index + 1) * 500))
    }
    const final = await create(target, { 'Upload-Concat': `final;${paths.join(' ')}` })
    expect(final.status).toBe(201)
    const id = final.headers.get('Location')?.split('/').at(-1) ?? ''
    expect(await target.object(id)).toEqual(content)
  },
)

contrast(
  'what several proxies say of the scheme does not stop an upload',
  { on: ['disk'], stockFails: 'the answer' },
  async (target) => {
    const answer = await create(target, {
      'Upload-Length': '10',
      'X-Forwarded-Proto': 'https, http',
      'X-Forwarded-Host': 'elsewhere.example',
    })
    expect(answer.status, 'the answer').toBe(201)
    // Nobody said that there is a proxy, so that anybody could have sent this.
    expect(answer.headers.get('Location')).not.toContain('elsewhere.example')
  },
)

contrast(
  'an upload is known by its URL, whatever query follows it',
  { on: ['disk'], stockFails: 'the answer' },
  async (target) => {
    const id = await begin(target, content.length)
    const answer = await request(target, 'HEAD', `/files/${id}?from=a-page`, tusHeaders)
    expect(answer.status, 'the answer').toBe(200)
  },
)
