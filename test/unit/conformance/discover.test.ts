import type { IncomingMessage, ServerResponse } from 'node:http'
import { expect, it } from 'vitest'
import { discover } from '../../../scripts/conformance/engine/discover.ts'
import { tinyServer } from './tiny-server.ts'

const options = {
  'Tus-Version': '1.0.0',
  'Tus-Extension': 'creation, checksum',
  'Tus-Checksum-Algorithm': 'sha1,md5',
  'Tus-Max-Size': '100',
  'Upload-Limit': 'max-size=100, max-age=60',
}

interface Behaviour {
  readonly options?: Record<string, string>
  /** Interop versions that are answered 104. */
  readonly announced?: readonly string[]
  /** Interop versions that are spoken without it. */
  readonly spoken?: readonly string[]
  readonly content?: string
  readonly expires?: Date
  /** The status of DELETE. */
  readonly removal?: number
}

function behave(behaviour: Behaviour) {
  return (request: IncomingMessage, response: ServerResponse) => {
    request.resume()
    if (request.method === 'OPTIONS') return response.writeHead(204, behaviour.options).end()
    if (request.method === 'GET') {
      return behaviour.content === undefined
        ? response.writeHead(404).end()
        : response.end(behaviour.content)
    }
    if (request.method === 'DELETE') return response.writeHead(behaviour.removal ?? 204).end()
    if (request.method !== 'POST') return response.writeHead(204).end()
    return answerCreation(
      behaviour,
      String(request.headers['upload-draft-interop-version'] ?? 'tus'),
      response,
    )
  }
}

function answerCreation(
  { announced = [], spoken = [], expires }: Behaviour,
  version: string,
  response: ServerResponse,
) {
  const location = { Location: '/files/a' }
  if (version === 'tus') {
    const date = expires && { 'Upload-Expires': expires.toUTCString() }
    return response.writeHead(201, { ...location, ...date }).end()
  }
  if (announced.includes(version)) response.writeInformation(104, location)
  else if (!spoken.includes(version)) return response.writeHead(412).end()
  return response.writeHead(201, { ...location, 'Upload-Complete': '?0' }).end()
}

async function found(behaviour: Behaviour) {
  await using tiny = await tinyServer(behave(behaviour))
  return await discover({
    target: tiny.url,
    headers: {},
    patienceMs: 10_000,
    settleMs: 500,
    contentTemplate: undefined,
  })
}

it('OPTIONS tells extensions, algorithms and limits', async () => {
  const { tus } = await found({ options })
  expect([...tus.features]).toEqual(
    expect.arrayContaining([
      'tus',
      'creation',
      'checksum',
      'checksum:sha1',
      'checksum:md5',
      'max-size',
      'upload-limit',
      'limit:max-age',
      'small-maximum',
    ]),
  )
  expect(tus.variables.get('max-size+1')).toBe('101')
  expect(tus.variables.get('limit:max-size')).toBe('100')
})

it('a server that says nothing offers nothing', async () => {
  const { tus, ietf } = await found({})
  expect(tus.features).not.toContain('tus')
  expect(tus.features).not.toContain('ietf')
  expect(ietf['6'].features).not.toContain('ietf:6')
})

it('interop versions are those that are answered 104', async () => {
  const { ietf, notes } = await found({ options, announced: ['6', '9'] })
  expect(notes).toContain('the newest interop version that is answered is 9')
  expect(ietf.newest.features).toContain('ietf:resumption')
  const spoken = ['5', '6', 'newest'].filter((one) => ietf.newest.features.has(`ietf:${one}`))
  expect(spoken).toEqual(['6', 'newest'])
  expect(ietf.newest.variables.get('interop')).toBe('9')
  expect(ietf.newest.removalHeaders).toMatchObject({ 'Upload-Draft-Interop-Version': '9' })
})

it('a server whose DELETE is answered 405 has no cancellation', async () => {
  const able = await found({ options, announced: ['6'] })
  expect(able.ietf['6'].features).toContain('ietf:cancellation')
  const unable = await found({ options, announced: ['6'], removal: 405 })
  expect(unable.ietf['6'].features).not.toContain('ietf:cancellation')
})

it('a server that sends no 104 may speak a version all the same', async () => {
  const { ietf } = await found({ options, spoken: ['5'] })
  expect(ietf['5'].features).toContain('ietf:5')
  expect(ietf['5'].features).not.toContain('ietf:resumption')
})

it('content that is what was sent can be checked', async () => {
  expect((await found({ options, content: 'hello' })).tus.features).toContain('content')
})

it('content that is anything else cannot, which is said', async () => {
  const { tus, notes } = await found({ options, content: 'other' })
  expect(tus.features).not.toContain('content')
  expect(notes.join()).toContain('--content')
})

it('uploads that expire within the patience are short-lived', async () => {
  const soon = await found({ options, expires: new Date() })
  expect(soon.tus.features).toContain('short-lived')
  const late = await found({ options, expires: new Date(Date.now() + 3_600_000) })
  expect(late.tus.features).not.toContain('short-lived')
})

it('a target where nobody answers is an error in one line', async () => {
  const tiny = await tinyServer(() => undefined)
  await tiny[Symbol.asyncDispose]()
  const access = { headers: {}, patienceMs: 10_000, settleMs: 10_000, contentTemplate: undefined }
  await expect(discover({ target: tiny.url, ...access })).rejects.toThrow('no answer to OPTIONS')
})
