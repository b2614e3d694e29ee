import { createHmac, generateKeyPairSync } from 'node:crypto'
import { inspect } from 'node:util'
import { CompactEncrypt, EncryptJWT, SignJWT, UnsecuredJWT } from 'jose'
import { describe, expect, it } from 'vitest'
import { createTokenAuthenticator } from '../../../src/auth/tokens.ts'
import { inSeconds, tokenOf as sign, testSecret } from '../../support/tokens.ts'

const options = { keys: { secret: testSecret }, issuer: undefined, audience: undefined }
const { authenticate } = createTokenAuthenticator(options)
const key = new TextEncoder().encode(testSecret)
const anybody = { sub: 'ada', exp: inSeconds(3_600) }
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** Signed well, whatever it says. */
function handmade(header: unknown, payload: unknown): string {
  const text = `${encode(header)}.${encode(payload)}`
  return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`
}

const invalid = { status: 401, code: 'token-invalid' }

describe('a token signed with the secret', () => {
  it('says who its bearer is', async () => {
    const token = await sign('ada')
    const ada = { id: 'ada', isAdmin: false, isStorage: false }
    expect(await authenticate(`Bearer ${token}`)).toEqual(ada)
    expect(await authenticate(`bearer  ${token} `)).toEqual(ada)
    expect(await authenticate(undefined)).toBeUndefined()
  })

  it.each([
    [{ scope: 'admin' }, true, false],
    [{ scope: 'read storage-events admin' }, true, true],
    [{ scp: ['storage-events'] }, false, true],
    [{ scp: 'admin' }, true, false],
    [{ scope: ['admin'] }, true, false],
    [{ scope: 'administrator admin2 Admin' }, false, false],
    [{ scope: { admin: true }, scp: [['admin'], 1, null] }, false, false],
    [{ roles: ['admin'], isAdmin: true }, false, false],
  ])('lets its bearer do what its scopes say: %j', async (claims, isAdmin, isStorage) => {
    const token = await sign('ada', claims)
    expect(await authenticate(`Bearer ${token}`)).toEqual({ id: 'ada', isAdmin, isStorage })
  })

  it('is refused with what makes no name of an owner', async () => {
    const subs = [
      '',
      'x'.repeat(256),
      'a\nb',
      'a\u0000',
      '\u0085',
      '\ud800',
      '.',
      '..',
      7,
      null,
      ['a'],
    ]
    for (const sub of [...subs, undefined]) {
      const token = handmade({ alg: 'HS256' }, { ...anybody, sub })
      await expect(authenticate(`Bearer ${token}`), `${sub}`).rejects.toMatchObject(invalid)
    }
    for (const sub of ['x', 'x'.repeat(255), 'auth0|a/b c', 'ü🙂', '%2e', '...']) {
      expect(await authenticate(`Bearer ${await sign(sub)}`)).toMatchObject({ id: sub })
    }
  })

  it('has expired once its time is over by more than clocks differ', async () => {
    const late = await sign('ada', { exp: inSeconds(-40) })
    const expired = { status: 401, code: 'token-expired' }
    await expect(authenticate(`Bearer ${late}`)).rejects.toMatchObject(expired)
    const justOver = await sign('ada', { exp: inSeconds(-15) })
    expect(await authenticate(`Bearer ${justOver}`)).toMatchObject({ id: 'ada' })
  })

  it('is not good before it says', async () => {
    const early = await sign('ada', { nbf: inSeconds(60) })
    await expect(authenticate(`Bearer ${early}`)).rejects.toMatchObject(invalid)
    const soon = await sign('ada', { nbf: inSeconds(15) })
    expect(await authenticate(`Bearer ${soon}`)).toMatchObject({ id: 'ada' })
  })

  it.each([
    ['no end', { sub: 'ada' }],
    ['an end that is no number', { sub: 'ada', exp: '2099-01-01' }],
    ['an end of null', { sub: 'ada', exp: null }],
    ['no subject', { exp: anybody.exp }],
    ['a beginning that is no number', { ...anybody, nbf: 'now' }],
  ])('is refused with %s', async (_name, payload) => {
    const token = handmade({ alg: 'HS256' }, payload)
    await expect(authenticate(`Bearer ${token}`)).rejects.toMatchObject(invalid)
  })

  it('has to be of the issuer and for the audience that are set', async () => {
    const { authenticate: strict } = createTokenAuthenticator({
      ...options,
      issuer: 'https://id.example',
      audience: 'landfall',
    })
    const good = { iss: 'https://id.example', aud: ['other', 'landfall'] }
    expect(await strict(`Bearer ${await sign('ada', good)}`)).toMatchObject({ id: 'ada' })
    const bad = [
      { ...good, iss: 'https://id.example/' },
      { ...good, aud: 'other' },
      { aud: 'landfall' },
      { iss: good.iss },
    ]
    for (const claims of bad) {
      const token = await sign('ada', claims)
      await expect(strict(`Bearer ${token}`), JSON.stringify(claims)).rejects.toMatchObject(invalid)
    }
  })
})

describe('what is no such token is refused', () => {
  const publicKey = generateKeyPairSync('rsa', { modulusLength: 2_048 }).publicKey
  const aes = { alg: 'dir', enc: 'A256GCM' } as const
  const aesKey = key.slice(0, 32)

  it.each<[string, () => string | Promise<string>]>([
    ['without a signature', () => new UnsecuredJWT(anybody).encode()],
    ['of alg none, in other letters', () => `${encode({ alg: 'nOnE' })}.${encode(anybody)}.`],
    ['with its signature taken off', async () => (await sign('ada')).replace(/[^.]*$/, '')],
    [
      'with another payload',
      async () => {
        const [head, , signature] = (await sign('ada')).split('.')
        return `${head}.${encode({ ...anybody, scope: 'admin' })}.${signature}`
      },
    ],
    ['by another secret', () => sign('ada', {}, 'another secret of the tests, as long')],
    [
      'by HS512 with the secret',
      () => new SignJWT(anybody).setProtectedHeader({ alg: 'HS512' }).sign(key),
    ],
    ['of RS256, signed with the secret', () => handmade({ alg: 'RS256' }, anybody)],
    [
      'with a key of its own',
      () => handmade({ alg: 'RS256', jwk: publicKey.export({ format: 'jwk' }) }, anybody),
    ],
    [
      'with an extension nobody knows',
      () => handmade({ alg: 'HS256', crit: ['b64'], b64: false }, anybody),
    ],
    ['with another one', () => handmade({ alg: 'HS256', crit: ['x'], x: 1 }, anybody)],
    ['that is encrypted', () => new EncryptJWT(anybody).setProtectedHeader(aes).encrypt(aesKey)],
    [
      'that has another in it',
      async () => {
        const inner = new TextEncoder().encode(await sign('ada'))
        return new CompactEncrypt(inner).setProtectedHeader({ ...aes, cty: 'JWT' }).encrypt(aesKey)
      },
    ],
    ['whose payload is one', async () => handmade({ alg: 'HS256', cty: 'JWT' }, await sign('ada'))],
    ['whose payload is no object', () => handmade({ alg: 'HS256' }, [anybody])],
    ['of two parts', () => `${encode({ alg: 'HS256' })}.${encode(anybody)}`],
    ['that is too long', () => sign('ada', { more: 'x'.repeat(8_200) })],
    ['of nothing but dots', () => '..'],
    ['of nothing', () => ''],
    ['that is a word', () => 'undefined'],
  ])('a token %s', async (_name, make) => {
    await expect(authenticate(`Bearer ${await make()}`)).rejects.toMatchObject(invalid)
  })

  it('another scheme, two values, and a token alone', async () => {
    const token = await sign('ada')
    const fields = [
      `Basic ${btoa('ada:secret')}`,
      token,
      `Bearer ${token}, Bearer ${token}`,
      `Bearer ${token}, Basic x`,
      `Bearer ${token} ${token}`,
      `Bearer: ${token}`,
      `DPoP ${token}`,
      'Bearer',
      '',
    ]
    for (const field of fields) {
      await expect(authenticate(field), field).rejects.toMatchObject(invalid)
    }
  })
})

describe('a token', () => {
  it('that was good is remembered for a minute, and never when it has expired', async () => {
    let now = Date.now()
    const exp = Math.floor(now / 1_000) + 40
    const { authenticate } = createTokenAuthenticator({ ...options, now: () => now })
    const token = await sign('ada', { exp })
    const first = await authenticate(`Bearer ${token}`)
    expect(await authenticate(`Bearer ${token}`)).toBe(first)
    now += 61_000
    const again = await authenticate(`Bearer ${token}`)
    expect(again).toEqual(first)
    expect(again).not.toBe(first)
    now = (exp + 31) * 1_000
    await expect(authenticate(`Bearer ${token}`)).rejects.toMatchObject({ code: 'token-expired' })
  })

  it('tells nothing of itself in errors', async () => {
    for (const claims of [{ exp: inSeconds(-40) }, { nbf: inSeconds(60) }]) {
      const token = await sign('ada', { ...claims, secretThing: 'x' })
      const error = await authenticate(`Bearer ${token}`).catch((thrown: unknown) => thrown)
      expect(inspect(error, { depth: 9 })).toContain('token-')
      expect(inspect(error, { depth: 9 })).not.toMatch(/secretThing|eyJ/)
    }
  })
})
