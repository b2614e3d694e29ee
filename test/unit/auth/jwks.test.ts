import { createHmac } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { type CryptoKey, exportSPKI, generateKeyPair, importJWK } from 'jose'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { remoteKeys } from '../../../src/auth/jwks.ts'
import { createTokenAuthenticator } from '../../../src/auth/tokens.ts'
import {
  type IssuerKey,
  inSeconds,
  issuerKey,
  startIssuer,
  type TestIssuer,
  testSecret,
  tokenBy,
  tokenOf,
} from '../../support/tokens.ts'
import { waitFor } from '../../support/wait.ts'

const minute = 60_000
const hour = 60 * minute
const invalid = { status: 401, code: 'token-invalid' }
const unavailable = { status: 503, code: 'auth-unavailable', retryAfter: 5 }

describe('tokens of an issuer with a JWKS', () => {
  let first: IssuerKey
  let second: IssuerKey
  let issuer: TestIssuer
  /** Of the keys. */
  let clock: number
  let failures: unknown[]

  beforeAll(async () => {
    first = await issuerKey('first')
    second = await issuerKey('second', 'RS256')
  })
  beforeEach(async () => {
    issuer = await startIssuer(first)
    clock = 0
    failures = []
  })
  afterEach(() => issuer[Symbol.asyncDispose]())

  /** Each with a memory of its own, so that every token is looked at. */
  function users(times = {}) {
    const publicKeys = remoteKeys(issuer.url, {
      onFailure: (error) => failures.push(error),
      now: () => clock,
      times,
    })
    return (token: string) =>
      createTokenAuthenticator({
        keys: { publicKeys },
        issuer: undefined,
        audience: undefined,
      }).authenticate(`Bearer ${token}`)
  }

  it.each(['RS256', 'RS384', 'RS512', 'PS256', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'])(
    'are believed when they are signed by %s',
    async (alg) => {
      const key = await issuerKey('key', alg)
      issuer.publish(first, key)
      const user = await users()(await tokenBy(key, 'ada', { scope: 'admin' }))
      expect(user).toEqual({ id: 'ada', isAdmin: true, isStorage: false })
    },
  )

  it('are not when a public key served as a secret', async () => {
    issuer.publish(first, second)
    const publicKey = (await importJWK(second.jwk, 'RS256', { extractable: true })) as CryptoKey
    const pem = await exportSPKI(publicKey)
    const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
    for (const secret of [pem, JSON.stringify(second.jwk), String(second.jwk.n), testSecret]) {
      for (const kid of [second.kid, undefined]) {
        const claims = { sub: 'ada', exp: inSeconds(60) }
        const text = `${encode({ alg: 'HS256', kid })}.${encode(claims)}`
        const signature = createHmac('sha256', secret).update(text).digest('base64url')
        await expect(users()(`${text}.${signature}`)).rejects.toMatchObject(invalid)
      }
    }
  })

  it('are not when the JWKS has a secret in it', async () => {
    const k = Buffer.from(testSecret).toString('base64url')
    const oct = { ...first, jwk: { kty: 'oct', k, alg: 'HS256' } }
    issuer.publish(oct, first)
    await expect(users()(await tokenOf('ada'))).rejects.toMatchObject(invalid)
  })

  it('are not when they are signed by a key of another issuer under the same name', async () => {
    const { privateKey } = await generateKeyPair('ES256')
    const token = await tokenBy({ ...first, privateKey }, 'ada')
    await expect(users()(token)).rejects.toMatchObject(invalid)
  })

  it('are checked with keys that are asked for once', async () => {
    const user = users()
    const tokens = await Promise.all(['ada', 'bob', 'cyd'].map((sub) => tokenBy(first, sub)))
    const seen = await Promise.all(tokens.map((token) => user(token)))
    expect(seen.map((principal) => principal?.id)).toEqual(['ada', 'bob', 'cyd'])
    expect(issuer.asked()).toBe(1)
    clock += 11 * minute
    await user(tokens[0] ?? '')
    expect(issuer.asked()).toBe(2)
  })

  it('are believed by a new key as soon as there is one, and not by one that was taken away', async () => {
    const user = users()
    const old = await tokenBy(first, 'ada')
    await user(old)
    issuer.publish(second)
    clock += 6_000
    expect(await user(await tokenBy(second, 'bob'))).toMatchObject({ id: 'bob' })
    await expect(user(old)).rejects.toMatchObject(invalid)
  })

  it('do not make it ask over and over by naming keys that there are not', async () => {
    const user = users()
    await user(await tokenBy(first, 'ada'))
    const unknown = await tokenBy({ ...first, kid: 'nobody' }, 'ada')
    clock += 6_000
    for (let n = 0; n < 20; n += 1) await expect(user(unknown)).rejects.toMatchObject(invalid)
    expect(issuer.asked()).toBe(2)
  })

  it('are believed by the keys known so far while the issuer is away, for a day', async () => {
    const user = users()
    const token = await tokenBy(first, 'ada')
    await user(token)
    issuer.answer((_request, response) => response.writeHead(503).end())
    clock += 23 * hour
    expect(await user(token)).toMatchObject({ id: 'ada' })
    expect(failures).toHaveLength(1)
    // It cannot be known whether there is such a key by now.
    await expect(user(await tokenBy(second, 'bob'))).rejects.toMatchObject(unavailable)
    clock += 2 * hour
    await expect(user(token)).rejects.toMatchObject(unavailable)
    issuer.publish(first)
    clock += 6_000
    expect(await user(token)).toMatchObject({ id: 'ada' })
  })

  it('are not kept waiting over and over for an issuer that is away', async () => {
    const user = users({ timeout: 600_000 })
    const token = await tokenBy(first, 'ada')
    await user(token)
    issuer.answer((request) => request.socket.destroy())
    clock += 11 * minute
    expect(await user(token)).toMatchObject({ id: 'ada' })
    const silent = Promise.withResolvers<IncomingMessage>()
    issuer.answer(silent.resolve)
    clock += 6_000
    expect(await user(token)).toMatchObject({ id: 'ada' })
    // It is asked all the same.
    const { socket } = await silent.promise
    socket.destroy()
    await waitFor(() => failures.length === 2)
  })

  it.each<[string, Parameters<TestIssuer['answer']>[0]]>([
    [
      'refuses',
      (_request, response) => response.writeHead(500).end(JSON.stringify({ keys: [first.jwk] })),
    ],
    ['hangs up', (request) => request.socket.destroy()],
    ['never answers', () => {}],
    [
      'answers byte by byte',
      (request, response) => {
        response.writeHead(200).write('{"keys":[')
        const timer = setInterval(() => response.write(' '), 20)
        request.socket.once('close', () => clearInterval(timer))
      },
    ],
    [
      'sends too much',
      (_request, response) =>
        response.end(JSON.stringify({ keys: [first.jwk], more: 'x'.repeat(300_000) })),
    ],
    ['sends a page', (_request, response) => response.end('<html></html>')],
    ['sends other JSON', (_request, response) => response.end('[]')],
    ['sends no key', (_request, response) => response.end('{"keys":[]}')],
    [
      'sends keys that are none',
      (_request, response) => response.end('{"keys":[1,{"kty":"oct"}]}'),
    ],
    [
      'sends elsewhere',
      (_request, response) => response.writeHead(302, { Location: '/elsewhere' }).end(),
    ],
  ])('are answered with 503, and not refused, where the issuer %s', async (_name, answer) => {
    issuer.answer(answer)
    const user = users({ timeout: 300 })
    const token = await tokenBy(first, 'ada')
    await expect(user(token)).rejects.toMatchObject(unavailable)
    // Nor is everybody kept waiting for it.
    await expect(user(token)).rejects.toMatchObject(unavailable)
    expect(issuer.asked()).toBe(1)
    expect(failures).toHaveLength(1)
    issuer.publish(first)
    clock += 6_000
    expect(await user(token)).toMatchObject({ id: 'ada' })
  })

  it.each<[string, string | undefined]>([
    ['name none', undefined],
    ['name one that two keys have', 'same'],
  ])('are believed by whichever key it is where they %s', async (_name, kid) => {
    const [old, other, foreign] = await Promise.all(['a', 'b', 'c'].map((name) => issuerKey(name)))
    if (!old || !other || !foreign) throw new Error('there are no keys')
    const renamed = (key: IssuerKey) => ({ ...key, kid, jwk: { ...key.jwk, kid } })
    issuer.publish(...[old, other].map(renamed))
    const user = users()
    expect(await user(await tokenBy(renamed(old), 'ada'))).toMatchObject({ id: 'ada' })
    expect(await user(await tokenBy(renamed(other), 'bob'))).toMatchObject({ id: 'bob' })
    const forged = await tokenBy(renamed(foreign), 'ada')
    await expect(user(forged)).rejects.toMatchObject(invalid)
    const past = await tokenBy(renamed(other), 'bob', { exp: inSeconds(-60) })
    await expect(user(past)).rejects.toMatchObject({ status: 401, code: 'token-expired' })
  })

  it('are believed although there are keys that nobody knows among the others', async () => {
    const odd = { ...first, jwk: { kty: 'XYZ', kid: 'odd', odd: [1] } }
    issuer.publish(odd, first)
    expect(await users()(await tokenBy(first, 'ada'))).toMatchObject({ id: 'ada' })
  })
})
