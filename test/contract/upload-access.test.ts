import { request } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Authenticator } from '../../src/auth/principal.ts'
import { createTokenAuthenticator } from '../../src/auth/tokens.ts'
import { AppError } from '../../src/errors.ts'
import { newId } from '../../src/ids.ts'
import { byLink, inOneRequest } from '../../src/uploads/upload.ts'
import { failedUpload, storedUpload, unfinishedUpload } from '../support/app.ts'
import { databaseTargets, type TestDatabase } from '../support/databases.ts'
import { type StorageUnderTest, startDisk } from '../support/storage.ts'
import { bearer, inSeconds, testSecret, tokenOf } from '../support/tokens.ts'
import { openPatch } from '../support/tus-requests.ts'
import { serveTus } from '../support/upload-server.ts'

const tokens = createTokenAuthenticator({
  keys: { secret: testSecret },
  issuer: undefined,
  audience: undefined,
})
const away: Authenticator = {
  authenticate: () =>
    Promise.reject(new AppError('auth-unavailable', 503, 'Not now.', { retryAfter: 5 })),
}

/** The fields of requests in each of the protocols. */
const dialects = [
  {
    name: 'tus',
    about: { 'Tus-Resumable': '1.0.0' },
    begin: { 'Tus-Resumable': '1.0.0', 'Upload-Length': '10' },
    append: { 'Tus-Resumable': '1.0.0', 'Content-Type': 'application/offset+octet-stream' },
    completes: {},
    methods: ['HEAD', 'DELETE'],
  },
  {
    name: 'the IETF draft',
    about: { 'Upload-Draft-Interop-Version': '8' },
    begin: { 'Upload-Complete': '?0', 'Upload-Draft-Interop-Version': '8', 'Upload-Length': '10' },
    append: {
      'Upload-Complete': '?0',
      'Upload-Draft-Interop-Version': '8',
      'Content-Type': 'application/partial-upload',
    },
    completes: { 'Upload-Complete': '?1' },
    methods: ['HEAD', 'GET', 'DELETE'],
  },
] as const

/** Fields that would tell something of an upload. Every refusal of the draft says `?0`. */
const telling = /^(upload-(?!complete: \?0)|location|repr-digest)/

describe.each(databaseTargets)('uploads of users on $name', (target) => {
  let test: TestDatabase
  let disk: StorageUnderTest
  let server: Awaited<ReturnType<typeof serveTus>>
  let people: Record<'ada' | 'bob' | 'admin' | 'expired' | 'garbage' | 'nobody', object>

  beforeAll(async () => {
    test = await target.create()
    disk = await startDisk()
    server = await serveTus(test.database, disk.storage, { authenticator: tokens })
    people = {
      ada: bearer(await tokenOf('ada')),
      bob: bearer(await tokenOf('bob')),
      admin: bearer(await tokenOf('root', { scope: 'admin' })),
      expired: bearer(await tokenOf('ada', { exp: inSeconds(-60) })),
      garbage: bearer('garbage'),
      nobody: {},
    }
  })
  afterAll(async () => {
    await server.server[Symbol.asyncDispose]()
    await disk.close()
    await test.cleanup()
  })

  const owner = 'ada'
  const unfinished = () => unfinishedUpload(test.database, { owner })
  const stored = (given = {}) =>
    storedUpload(test.database, disk.storage, Buffer.from('0123456789'), { owner, ...given })

  async function ask(id: string, method: string, headers: object, body?: string, base?: string) {
    const response = await fetch(`${base ?? server.server.url}/files${id && `/${id}`}`, {
      method,
      headers: { ...headers },
      ...(body !== undefined && { body }),
    })
    const lines = [...response.headers].map(([name, value]) => `${name}: ${value}`)
    const told = lines.filter((line) => telling.test(line))
    const { status, headers: fields } = response
    return { status, fields, told, text: await response.text() }
  }

  describe.each(dialects)('in $name', ({ about, begin, append, completes, methods }) => {
    const patch = (id: string, who: object, offset: number, body: string, more: object = {}) =>
      ask(id, 'PATCH', { ...append, ...who, ...more, 'Upload-Offset': String(offset) }, body)

    it('are begun by those who say who they are, and are theirs', async () => {
      const { status, fields } = await ask('', 'POST', { ...begin, ...people.bob })
      expect(status).toBe(201)
      const id = fields.get('Location')?.split('/').at(-1) ?? ''
      const row = test.database.queries.selectFrom('uploads').select('owner').where('id', '=', id)
      expect(await row.executeTakeFirst()).toEqual({ owner: 'bob' })
    })

    it('are begun by nobody else, who is told what to do', async () => {
      const count = () => test.database.queries.selectFrom('uploads').select('id').execute()
      const before = await count()
      const refusals = {
        nobody: 'Bearer realm="landfall"',
        garbage: 'Bearer realm="landfall", error="invalid_token", error_description=',
        expired:
          'Bearer realm="landfall", error="invalid_token", error_description="The token has expired."',
      } as const
      for (const who of ['nobody', 'garbage', 'expired'] as const) {
        const { status, fields } = await ask('', 'POST', { ...begin, ...people[who] })
        expect(status).toBe(401)
        expect(fields.get('WWW-Authenticate')).toContain(refusals[who])
        expect(fields.get('Access-Control-Expose-Headers')).toContain('WWW-Authenticate')
      }
      expect(await count()).toHaveLength(before.length)
    })

    it('go on to their end without a token, or with one that has expired', async () => {
      for (const who of ['nobody', 'garbage', 'expired'] as const) {
        const id = await unfinished()
        const first = await ask(id, 'HEAD', { ...about, ...people[who] })
        expect(first.fields.get('Upload-Offset')).toBe('0')
        expect((await patch(id, people[who], 0, '01234')).status).toBe(204)
        const last = await patch(id, people[who], 5, '56789', completes)
        expect(last.status).toBeLessThan(300)
        // From here on it is its owner's alone.
        const after = await ask(id, 'HEAD', { ...about, ...people[who] })
        expect(after).toMatchObject({ status: 401, told: [] })
        expect((await ask(id, 'HEAD', { ...about, ...people.ada })).status).toBeLessThan(300)
      }
      const given = await unfinished()
      expect((await ask(given, 'DELETE', about)).status).toBe(204)
    })

    it('go on for their owner and for admins', async () => {
      for (const who of ['ada', 'admin'] as const) {
        const id = await unfinished()
        expect((await patch(id, people[who], 0, '0123456789', completes)).status).toBeLessThan(300)
        for (const method of methods) {
          const answer = await ask(id, method, { ...about, ...people[who] })
          expect(answer.status, method).toBeLessThan(300)
        }
      }
    })

    it('are nothing to another user, finished or not, and whatever is wrong with the request', async () => {
      const nothing = newId()
      const expired = await unfinishedUpload(test.database, { owner, expiresAt: Date.now() - 1 })
      const { queries } = test.database
      const failed = await failedUpload(test.database, 'Lost.')
      await queries.updateTable('uploads').set({ owner }).where('id', '=', failed).execute()
      const odd = { ...append, ...people.bob }
      const tries = (id: string) => [
        ...methods.map((method) => ask(id, method, { ...about, ...people.bob })),
        patch(id, people.bob, 0, '0'),
        patch(id, people.bob, 7, '0'),
        patch(id, people.bob, 10, '', completes),
        patch(id, people.bob, 0, '0', { 'Upload-Length': '4' }),
        patch(id, people.bob, 0, '0', { 'Content-Type': 'text/plain' }),
        ask(id, 'PATCH', odd, '0'),
      ]
      const core = ({ status, told, text }: Awaited<ReturnType<typeof ask>>) => ({
        status,
        told,
        text,
      })
      const wanted = (await Promise.all(tries(nothing))).map(core)
      expect(wanted[0]).toMatchObject({ status: 404, told: [] })
      for (const id of [await unfinished(), await stored(), expired, failed]) {
        expect((await Promise.all(tries(id))).map(core)).toEqual(wanted)
      }
    })

    it('say that they are over to whoever has the URL of one that is', async () => {
      const expiresAt = Date.now() - 1
      const id = await unfinishedUpload(test.database, { owner, expiresAt })
      for (const who of ['nobody', 'expired', 'ada'] as const) {
        expect((await ask(id, 'HEAD', { ...about, ...people[who] })).status).toBe(410)
      }
    })

    it('are not known to be there, or not, to who is not known', async () => {
      for (const id of [await stored(), newId()]) {
        for (const who of ['nobody', 'garbage', 'expired'] as const) {
          for (const method of methods) {
            const answer = await ask(id, method, { ...about, ...people[who] })
            expect(answer, `${who} ${method}`).toMatchObject({ status: 401, told: [] })
          }
          expect(await patch(id, people[who], 3, '0')).toMatchObject({ status: 401, told: [] })
        }
      }
    })

    it('go on while it cannot be found out who anybody is, and cannot be begun', async () => {
      await using other = (await serveTus(test.database, disk.storage, { authenticator: away }))
        .server
      const id = await unfinished()
      expect((await ask(id, 'HEAD', about, undefined, other.url)).status).toBeLessThan(300)
      const begun = await ask('', 'POST', begin, undefined, other.url)
      expect(begun.status).toBe(503)
      expect(begun.fields.get('Retry-After')).toBe('5')
      // To a tus client that is what passes.
      const over = await ask(await stored(), 'HEAD', about, undefined, other.url)
      expect([423, 503]).toContain(over.status)
    })
  })

  it.each([
    ['by a link', byLink],
    ['in one request', inOneRequest],
  ])('%s are nothing to whoever is not known, and not gone on with by others', async (_, way) => {
    const id = await unfinishedUpload(test.database, { owner, ...way })
    for (const { name, about, append, methods } of dialects) {
      for (const who of ['nobody', 'garbage', 'expired'] as const) {
        for (const method of [...methods, 'PATCH']) {
          const fields = method === 'PATCH' ? { ...append, 'Upload-Offset': '0' } : about
          const tell = (one: string) => ask(one, method, { ...fields, ...people[who] })
          const { status, told, text } = await tell(id)
          expect({ status, told }, `${name} ${who} ${method}`).toEqual({ status: 401, told: [] })
          expect(text).toBe((await tell(newId())).text)
        }
      }
    }
    const { about, append } = dialects[0]
    const bytes = { ...append, 'Upload-Offset': '0' }
    expect((await ask(id, 'HEAD', { ...about, ...people.ada })).status).toBe(404)
    expect((await ask(id, 'PATCH', { ...bytes, ...people.ada }, '0')).status).toBe(404)
    expect((await ask(id, 'DELETE', { ...about, ...people.ada })).status).toBe(204)
  })

  it('that are parts are held by their URL until something is made of them', async () => {
    const id = await stored({ isPartial: true })
    const { about } = dialects[0]
    expect((await ask(id, 'HEAD', { ...about, ...people.expired })).status).toBe(200)
    expect((await ask(id, 'HEAD', { ...about, ...people.bob })).status).toBe(404)
  })

  it('are made of parts of the same user only', async () => {
    const id = await stored({ isPartial: true })
    const final = { 'Tus-Resumable': '1.0.0', 'Upload-Concat': `final;/files/${id}` }
    expect((await ask('', 'POST', final)).status).toBe(401)
    const others = await ask('', 'POST', { ...final, ...people.bob })
    const none = await ask('', 'POST', {
      ...final,
      'Upload-Concat': `final;/files/${newId()}`,
      ...people.bob,
    })
    expect(others).toMatchObject({ status: 400, text: none.text })
    expect((await ask('', 'POST', { ...final, ...people.ada })).status).toBe(201)
  })

  it('are not interrupted by another user', async () => {
    const id = await unfinished()
    const { url } = server.server
    const open = await openPatch(url, id, 0, Buffer.from('01234'), 10)
    const { about, append } = dialects[0]
    for (const method of ['HEAD', 'DELETE']) {
      expect((await ask(id, method, { ...about, ...people.bob })).status).toBe(404)
    }
    const bytes = { ...append, ...people.bob, 'Upload-Offset': '0' }
    expect((await ask(id, 'PATCH', bytes, '0')).status).toBe(404)
    open.request.end('56789')
    expect((await open.answered).statusCode).toBe(204)
  })

  it('are not begun with two tokens', async () => {
    const { promise, resolve, reject } = Promise.withResolvers<number | undefined>()
    const begun = request(`${server.server.url}/files`, { method: 'POST' }, (response) => {
      response.resume()
      resolve(response.statusCode)
    })
    begun.on('error', reject)
    for (const [name, value] of Object.entries(dialects[0].begin)) begun.setHeader(name, value)
    const [one = '', two = ''] = [...Object.values(people.ada), ...Object.values(people.bob)]
    begun.setHeader('Authorization', [one, two]).end()
    expect(await promise).toBe(401)
  })

  it('may be asked about by pages of other origins, and that question needs no token', async () => {
    const preflight = {
      Origin: 'https://app.example',
      'Access-Control-Request-Method': 'POST',
      'Access-Control-Request-Headers': 'authorization',
    }
    for (const id of ['', await stored()]) {
      const { status, fields } = await ask(id, 'OPTIONS', preflight)
      expect(status).toBe(204)
      expect(fields.get('Access-Control-Allow-Headers')).toContain('Authorization')
    }
  })
})
