import { availableParallelism } from 'node:os'
import { describe, expect, it } from 'vitest'
import { loadConfig, settingGroups } from '../../src/config.ts'

describe('the configuration', () => {
  it('needs no setting at all', () => {
    expect(loadConfig({})).toMatchObject({
      http: { port: 8080, host: '127.0.0.1' },
      database: { kind: 'sqlite', file: 'data/landfall.db' },
      storage: { bucket: undefined },
      uploads: { maxSize: 5 * 2 ** 40, expiresIn: 86_400_000, memory: 96 * 2 ** 20 },
      conversion: { concurrency: availableParallelism() },
    })
  })

  it('takes what bounds uploads', () => {
    const env = { MAX_UPLOAD_SIZE: '5GiB', UPLOAD_EXPIRES_IN: '90s', UPLOAD_MEMORY: '16MiB' }
    expect(loadConfig(env).uploads).toEqual({
      maxSize: 5 * 2 ** 30,
      expiresIn: 90_000,
      memory: 16 * 2 ** 20,
    })
  })

  it.each([
    [{ MAX_UPLOAD_SIZE: '0' }, 'MAX_UPLOAD_SIZE=0: expected a size'],
    [{ UPLOAD_EXPIRES_IN: '0s' }, 'UPLOAD_EXPIRES_IN=0s: expected a time such as 90s'],
    [{ UPLOAD_EXPIRES_IN: '24' }, 'UPLOAD_EXPIRES_IN=24: expected a time such as 90s'],
    [{ UPLOAD_MEMORY: '15MiB' }, 'UPLOAD_MEMORY=15MiB: expected a size of at least 16MiB'],
    [{ UPLOAD_MEMORY: '16777215' }, 'UPLOAD_MEMORY=16777215: expected a size of at least 16MiB'],
    [{ UPLOAD_MEMORY: 'much' }, 'UPLOAD_MEMORY=much: expected a size of at least 16MiB'],
  ])('refuses %j with one line', (env, line) => {
    expect(() => loadConfig(env)).toThrow(line)
  })

  it('takes an empty variable for one that is not set', () => {
    expect(loadConfig({ PORT: '', S3_BUCKET: ' ' })).toMatchObject({
      http: { port: 8080 },
      storage: { bucket: undefined },
    })
  })

  it.each(['0.0.0.0', '::', '192.0.2.1', 'example.com'])(
    'leaves authentication off on %s only when asked for it twice',
    (HOST) => {
      expect(() => loadConfig({ HOST })).toThrow('AUTH=off: expected jwt, or off,off while HOST=')
      expect(() => loadConfig({ HOST, AUTH: 'off' })).toThrow('AUTH=off')
      expect(loadConfig({ HOST, AUTH: 'off,off' }).http.host).toBe(HOST)
    },
  )

  const secret = 'x'.repeat(32)
  const jwksUrl = 'https://id.example/jwks.json'

  it('knows users by tokens where it is said how, on any address', () => {
    const HOST = '0.0.0.0'
    const bySecret = { mode: 'jwt', keys: { secret } }
    expect(loadConfig({ HOST, AUTH_JWT_SECRET: secret }).auth).toMatchObject(bySecret)
    expect(loadConfig({ AUTH: 'jwt', AUTH_JWT_SECRET: secret }).auth).toMatchObject(bySecret)
    const given = { AUTH_JWKS_URL: jwksUrl, AUTH_ISSUER: 'https://id.example', AUTH_AUDIENCE: 'a' }
    expect(loadConfig({ HOST, ...given }).auth).toEqual({
      mode: 'jwt',
      keys: { jwksUrl },
      issuer: 'https://id.example',
      audience: 'a',
    })
    const local = { AUTH_JWKS_URL: 'http://localhost:3000/jwks' }
    expect(loadConfig(local).auth).toMatchObject({ keys: { jwksUrl: local.AUTH_JWKS_URL } })
    expect(loadConfig({}).auth).toEqual({ mode: 'off' })
  })

  it.each([
    [{ AUTH: 'jwt' }, 'AUTH=jwt: expected AUTH_JWT_SECRET or AUTH_JWKS_URL to be set as well'],
    [{ AUTH_ISSUER: 'i' }, 'AUTH_ISSUER=i: expected AUTH_JWT_SECRET or AUTH_JWKS_URL to be set'],
    [{ AUTH_AUDIENCE: 'a' }, 'AUTH_AUDIENCE=a: expected AUTH_JWT_SECRET or AUTH_JWKS_URL to be'],
    [
      { AUTH_JWT_SECRET: secret, AUTH_JWKS_URL: jwksUrl },
      `AUTH_JWKS_URL=${jwksUrl}: expected AUTH_JWT_SECRET not to be set as well`,
    ],
    [{ AUTH: 'off', AUTH_JWT_SECRET: secret }, 'AUTH=off: expected jwt, as AUTH_JWT_SECRET is set'],
    [{ AUTH: 'off,off', AUTH_JWKS_URL: jwksUrl }, 'AUTH=off,off: expected jwt, as AUTH_JWKS_URL'],
    [{ AUTH: 'off', AUTH_AUDIENCE: 'a' }, 'AUTH=off: expected jwt, as AUTH_AUDIENCE is set'],
    [
      { AUTH_JWKS_URL: 'http://id.example/' },
      'AUTH_JWKS_URL=http://id.example/: expected an https',
    ],
    [{ AUTH_JWKS_URL: 'file:///jwks' }, 'AUTH_JWKS_URL=file:///jwks: expected an https URL'],
    [{ AUTH_JWKS_URL: 'https://u:p@id.example/' }, 'AUTH_JWKS_URL=https://***@id.example/: expect'],
    [{ AUTH_JWT_SECRET: 'short but secret' }, 'AUTH_JWT_SECRET=***: expected at least 32 bytes'],
  ])('refuses %j, and shows no secret', (env, line) => {
    expect(() => loadConfig(env)).toThrow(line)
    expect(() => loadConfig(env)).not.toThrow(/xxx|short but secret/)
  })

  it.each(['127.0.0.1', '127.9.9.9', 'localhost', '::1'])(
    'knows %s for a loopback address',
    (HOST) => {
      expect(loadConfig({ HOST }).http.host).toBe(HOST)
    },
  )

  it('does not store on disk what was meant for a bucket', () => {
    expect(() => loadConfig({ S3_ENDPOINT: 'http://127.0.0.1:9000' })).toThrow(
      'S3_ENDPOINT=http://127.0.0.1:9000: expected S3_BUCKET to be set as well',
    )
  })

  it('sends nobody to a bucket that there is not', () => {
    expect(() => loadConfig({ DELIVERY: 'redirect' })).toThrow(
      'DELIVERY=redirect: expected S3_BUCKET to be set as well',
    )
    expect(() => loadConfig({ DELIVERY: 'link' })).toThrow('DELIVERY=link: expected "proxy", or')
    expect(loadConfig({ DELIVERY: 'redirect', S3_BUCKET: 'b12' }).http.delivery).toBe('redirect')
    expect(loadConfig({ S3_BUCKET: 'b12' }).http.delivery).toBe('proxy')
  })

  it('shows no password of a database URL it cannot use', () => {
    for (const url of ['mysql://u:s3cret@h/db', 'u:s3cret@h/db', 'mysql://u:s3@cret@h/db']) {
      const load = () => loadConfig({ DATABASE_URL: url })
      expect(load).toThrow(/DATABASE_URL=(mysql:\/\/)?\*\*\*@h\/db: expected postgres:/)
    }
  })

  it('takes web origins as origins and nothing more', () => {
    const origins = 'https://a.example, http://127.0.0.1:3000'
    expect(loadConfig({ CORS_ORIGINS: origins }).http.corsOrigins).toHaveLength(2)
    expect(() => loadConfig({ CORS_ORIGINS: 'https://a.example/path' })).toThrow('CORS_ORIGINS')
  })

  it('has one declaration for each setting, with a default that is valid', () => {
    const settings = settingGroups.flatMap((group) => Object.values(group))
    expect(new Set(settings.map(({ name }) => name)).size).toBe(settings.length)
    for (const { default: value, parse } of settings) {
      if (value !== undefined) expect(parse(value)).toBeDefined()
    }
  })
})
