import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Program, startProgram } from '../support/program.ts'

let program: Program
beforeAll(async () => {
  program = await startProgram()
})
afterAll(async () => {
  await program[Symbol.asyncDispose]()
})

const content = randomBytes(10_000)

const send = (method: string, path: string, headers: Record<string, string>, body?: Buffer) =>
  fetch(new URL(path, program.url), {
    method,
    headers,
    ...(body && { body: new Uint8Array(body) }),
  })

/** How each of the oldest drafts that are in use says whether an upload is complete. */
const drafts = [
  { version: '3', field: 'Upload-Incomplete', complete: '?0', open: '?1' },
  { version: '4', field: 'Upload-Complete', complete: '?1', open: '?0' },
]

it.each(drafts)('an upload in parts, by interop version $version', async (draft) => {
  const { version, field, complete, open } = draft
  const spoken = { 'Upload-Draft-Interop-Version': version }
  const half = content.length / 2
  const begun = await send(
    'POST',
    '/files',
    { ...spoken, [field]: open },
    content.subarray(0, half),
  )
  expect(begun.status).toBe(201)
  expect(begun.headers.get(field)).toBe(open)
  expect(begun.headers.get('Upload-Limit')).toBeNull()
  const location = begun.headers.get('Location') ?? ''
  const asked = await send('HEAD', location, spoken)
  expect([asked.status, asked.headers.get('Upload-Offset')]).toEqual([204, String(half)])
  expect(asked.headers.get(field)).toBe(open)
  expect((await send('HEAD', location, { ...spoken, [field]: open })).status).toBe(400)
  const headers = { ...spoken, [field]: complete, 'Upload-Offset': String(half) }
  const last = await send('PATCH', location, headers, content.subarray(half))
  expect([last.status, last.headers.get('Upload-Offset')]).toEqual([201, String(content.length)])
  expect((await send('HEAD', location, spoken)).headers.get(field)).toBe(complete)
  const stored = await send('GET', location, {})
  expect(Buffer.from(await stored.arrayBuffer())).toEqual(content)
})

it('draft-01 takes an append that says nothing of it as the last', async () => {
  const spoken = { 'Upload-Draft-Interop-Version': '3' }
  const begun = await send('POST', '/files', { ...spoken, 'Upload-Incomplete': '?1' })
  const location = begun.headers.get('Location') ?? ''
  const last = await send('PATCH', location, { ...spoken, 'Upload-Offset': '0' }, content)
  expect(last.headers.get('Upload-Incomplete')).toBe('?0')
  expect((await send('POST', '/files', spoken, content)).status).toBe(400)
})

it('takes the name of a file from where tus-js-client says it in any protocol', async () => {
  const name = async (headers: Record<string, string>) => {
    const metadata = `filename ${Buffer.from('holiday.jpg').toString('base64')}`
    const spoken = { 'Upload-Complete': '?0', 'Upload-Metadata': metadata, ...headers }
    const { headers: answer } = await send('POST', '/files', spoken)
    const id = answer.get('Location')?.split('/').at(-1)
    const upload = await fetch(`${program.url}/v1/uploads/${id}`)
    return ((await upload.json()) as { filename: unknown }).filename
  }
  expect(await name({})).toBe('holiday.jpg')
  expect(await name({ 'Content-Disposition': 'inline; filename="a.jpg"' })).toBe('a.jpg')
  expect(await name({ 'Upload-Metadata': 'none of ours' })).toBeNull()
})
