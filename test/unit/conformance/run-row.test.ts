import type { IncomingMessage, ServerResponse } from 'node:http'
import { expect, it } from 'vitest'
import {
  must,
  type Row,
  type SendStep,
  type Step,
} from '../../../scripts/conformance/engine/row.ts'
import { runRow } from '../../../scripts/conformance/engine/run-row.ts'
import { targetOf, tinyServer } from './tiny-server.ts'

const row = (steps: readonly Step[], more: Partial<Row> = {}): Row => ({
  id: 'row',
  from: must('a section'),
  says: 'Something.',
  steps,
  ...more,
})

const ask = (
  method: string,
  to: string,
  expect: SendStep['expect'],
  more: Partial<SendStep> = {},
): SendStep => ({
  kind: 'send',
  request: { method, to },
  expect,
  ...more,
})

const create = ask('POST', '{target}', { status: 201 }, { as: 'a' })
const created = (response: ServerResponse, id = 'one') =>
  response.writeHead(201, { Location: `/files/${id}` }).end()

/** Does what every test needs, and notes what it was asked. */
function scripted(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const asked: string[] = []
  const start = () =>
    tinyServer((request, response) => {
      request.resume()
      asked.push(`${request.method} ${request.url}`)
      if (request.method === 'DELETE') response.writeHead(204).end()
      else answer(request, response)
    })
  return { asked, start }
}

it('a row whose steps all fit has passed', async () => {
  const { start, asked } = scripted((_, response) => created(response))
  await using tiny = await start()
  const result = await runRow(row([create, ask('HEAD', '{a}', { status: 201 })]), targetOf(tiny))
  expect(result).toMatchObject({ outcome: 'passed', findings: [], unchecked: false })
  expect(asked.slice(0, 2)).toEqual(['POST /files', 'HEAD /files/one'])
})

it('a row fails at its first step that does not fit, and says in which', async () => {
  const { start, asked } = scripted((_, response) => created(response))
  await using tiny = await start()
  const steps = [create, ask('PATCH', '{a}', { status: 204 }), ask('HEAD', '{a}', {})]
  expect(await runRow(row(steps), targetOf(tiny))).toMatchObject({
    outcome: 'failed',
    findings: [{ during: 'PATCH {a}', what: 'status', wanted: '204', seen: '201' }],
  })
  expect(asked).not.toContain('HEAD /files/one')
})

it('what a row made is removed, also when it failed', async () => {
  const { start, asked } = scripted((_, response) => created(response))
  await using tiny = await start()
  await runRow(row([{ ...create, expect: { status: 204 } }]), targetOf(tiny))
  expect(asked).toEqual(['POST /files', 'DELETE /files/one'])
})

it('what comes last is removed first', async () => {
  const { start, asked } = scripted((_, response) => created(response, String(asked.length)))
  await using tiny = await start()
  await runRow(row([create, { ...create, as: 'b' }]), targetOf(tiny))
  expect(asked.slice(-2)).toEqual(['DELETE /files/2', 'DELETE /files/1'])
})

it('a Location of something else than a creation is not removed', async () => {
  const { start, asked } = scripted((_, response) => created(response))
  await using tiny = await start()
  await runRow(row([ask('PATCH', '{target}/x', { status: 201 })]), targetOf(tiny))
  expect(asked).toEqual(['PATCH /files/x'])
})

it('a row that needs what is not there is not applicable', async () => {
  const { start, asked } = scripted((_, response) => created(response))
  await using tiny = await start()
  const result = await runRow(row([create], { needs: ['termination'] }), targetOf(tiny))
  expect(result).toMatchObject({ outcome: 'not applicable', reason: 'needs termination' })
  expect(asked).toEqual([])
})

it('a row for servers without something is not applicable to those with it', async () => {
  const { start } = scripted((_, response) => created(response))
  await using tiny = await start()
  const lacking = row([create], { lacks: ['termination'] })
  expect((await runRow(lacking, targetOf(tiny))).outcome).toBe('passed')
  expect((await runRow(lacking, targetOf(tiny, ['termination']))).outcome).toBe('not applicable')
})

it('a patient step asks until the answer fits', async () => {
  let count = 0
  const { start } = scripted((_, response) => {
    count += 1
    response.writeHead(count < 3 ? 404 : 200).end()
  })
  await using tiny = await start()
  const step = ask('GET', '{target}', { status: 200 })
  expect((await runRow(row([step]), targetOf(tiny))).outcome).toBe('failed')
  count = 0
  expect((await runRow(row([{ ...step, patiently: true }]), targetOf(tiny))).outcome).toBe('passed')
})

it('patience ends', async () => {
  const { start } = scripted((_, response) => response.writeHead(404).end())
  await using tiny = await start()
  const step = ask('GET', '{target}', { status: 200 }, { patiently: true })
  const server = targetOf(tiny, [], { settleMs: 100 })
  expect((await runRow(row([step]), server)).outcome).toBe('failed')
})

it('an answer’s header and a member of its dictionary can be used later', async () => {
  const { start, asked } = scripted((_, response) =>
    response
      .writeHead(200, { 'Upload-Limit': 'max-size=7, min-size=0', 'Upload-Offset': '3' })
      .end(),
  )
  await using tiny = await start()
  const remember = { name: 'most', header: 'Upload-Limit', member: 'max-size' }
  const offset = { name: 'offset', header: 'Upload-Offset' }
  const steps = [
    ask('GET', '{target}', {}, { remember }),
    ask('GET', '{target}', {}, { remember: offset }),
    ask('GET', '{target}/{most}/{offset}', {}),
  ]
  await runRow(row(steps), targetOf(tiny))
  expect(asked.at(-1)).toBe('GET /files/7/3')
})

it('an upload is known by the URL that an interim answer told, not by the final one', async () => {
  const { start, asked } = scripted((request, response) => {
    if (request.method !== 'POST') return response.writeHead(200).end()
    response.writeInformation(104, { Location: '/files/early' })
    return created(response, 'result')
  })
  await using tiny = await start()
  await runRow(row([create, ask('HEAD', '{a}', {})]), targetOf(tiny))
  expect(asked).toEqual(['POST /files', 'HEAD /files/early', 'DELETE /files/early'])
})

it('a request that was begun is finished, and its answer looked at', async () => {
  const { start } = scripted((request, response) => {
    request.on('end', () => response.writeHead(500).end())
  })
  await using tiny = await start()
  const request = { method: 'PATCH', to: '{target}', body: Buffer.from('0123456789') }
  const steps: Step[] = [
    { kind: 'begin', call: 'x', request, sent: 4 },
    { kind: 'finish', call: 'x', expect: { status: 204 } },
  ]
  expect(await runRow(row(steps), targetOf(tiny))).toMatchObject({
    outcome: 'failed',
    findings: [{ during: 'rest of PATCH {target}', seen: '500' }],
  })
})

const content = (more: { equals?: Buffer; prefixOf?: Buffer }) =>
  row([create, { kind: 'content', of: 'a', ...more }])

it.each([
  ['the same', { equals: Buffer.from('hello') }, 'passed'],
  ['something else', { equals: Buffer.from('other') }, 'failed'],
  ['the beginning', { prefixOf: Buffer.from('hello world') }, 'passed'],
  ['not the beginning', { prefixOf: Buffer.from('hell') }, 'failed'],
  ['something where there should be nothing', {}, 'failed'],
] as const)('content that is %s is told apart', async (_, expected, outcome) => {
  const { start } = scripted((request, response) =>
    request.method === 'POST' ? created(response) : response.end('hello'),
  )
  await using tiny = await start()
  const server = targetOf(tiny, ['content'], outcome === 'failed' ? { settleMs: 100 } : {})
  expect((await runRow(content(expected), server)).outcome).toBe(outcome)
})

it('content is read at the URL that the template makes', async () => {
  const { start, asked } = scripted((request, response) =>
    request.method === 'POST' ? created(response) : response.end('hello'),
  )
  await using tiny = await start()
  const server = targetOf(tiny, ['content'], { contentTemplate: '/v1/{id}/content' })
  await runRow(content({ equals: Buffer.from('hello') }), server)
  expect(asked).toContain('GET /v1/one/content')
})

it('content that is gone is nothing', async () => {
  const { start } = scripted((request, response) =>
    request.method === 'POST' ? created(response) : response.writeHead(404).end(),
  )
  await using tiny = await start()
  const gone = await runRow(content({}), targetOf(tiny, ['content']))
  expect(gone.outcome).toBe('passed')
  const server = targetOf(tiny, ['content'], { settleMs: 100 })
  const missing = await runRow(content({ equals: Buffer.from('hello') }), server)
  expect(missing.outcome).toBe('failed')
})

it('content of which there is no answer is not nothing', async () => {
  const { start } = scripted((request, response) =>
    request.method === 'GET' ? response.destroy() : created(response),
  )
  await using tiny = await start()
  const result = await runRow(content({}), targetOf(tiny, ['content'], { settleMs: 100 }))
  expect(result).toMatchObject({ outcome: 'failed', findings: [{ seen: 'no answer' }] })
})

it('a server that tells no URL makes rows fail, not the suite', async () => {
  const { start } = scripted((_, response) => response.writeHead(201).end())
  await using tiny = await start()
  const server = targetOf(tiny, ['content'], { settleMs: 100 })
  expect((await runRow(content({ equals: Buffer.from('hello') }), server)).outcome).toBe('failed')
})

it.each(['http://[', '//', 'http://127.0.0.1:1/', 'ftp://127.0.0.1/'])(
  'so does one that tells the URL %s',
  async (location) => {
    const { start } = scripted((_, response) =>
      response.writeHead(201, { Location: location }).end(),
    )
    await using tiny = await start()
    const server = targetOf(tiny, [], { settleMs: 100 })
    const steps = [create, ask('HEAD', '{a}', { status: 200 })]
    expect((await runRow(row(steps), server)).outcome).toBe('failed')
  },
)

it('where content cannot be read at all, it is not checked', async () => {
  const { start } = scripted((_, response) => created(response))
  await using tiny = await start()
  const result = await runRow(content({ equals: Buffer.from('hello') }), targetOf(tiny))
  expect(result).toMatchObject({ outcome: 'passed', unchecked: true })
})
