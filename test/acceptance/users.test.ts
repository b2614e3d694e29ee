import { execFile } from 'node:child_process'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { type Program, startProgram } from '../support/program.ts'
import { bearer, issuerKey, startIssuer, testSecret, tokenBy, tokenOf } from '../support/tokens.ts'
import { waitFor } from '../support/wait.ts'

const root = resolve(import.meta.dirname, '../..')

/** `npm run token`, without npm. */
async function makeToken(env: Record<string, string>, ...args: string[]) {
  const run = promisify(execFile)(process.execPath, ['scripts/token.ts', ...args], {
    cwd: root,
    env: { PATH: process.env.PATH, ...env },
  })
  return run.then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }) => ({
      code,
      stdout,
      stderr,
    }),
  )
}

async function ask(program: Program, path: string, token: string) {
  const response = await fetch(program.url + path, { headers: bearer(token) })
  const { status } = response
  return { status, answer: (await response.json()) as Record<string, unknown> }
}

describe('a token that npm run token made', () => {
  const env = {
    AUTH_JWT_SECRET: testSecret,
    AUTH_ISSUER: 'https://id.example',
    AUTH_AUDIENCE: 'landfall',
  }

  it('is one of a user of the server with the same settings, and gets into no log', async () => {
    await using program = await startProgram({
      env: { ...env, HOST: '0.0.0.0', LOG_LEVEL: 'trace' },
    })
    const url = program.url.replace('0.0.0.0', '127.0.0.1')
    const get = (path: string, token: string) =>
      fetch(url + path, { headers: bearer(token) }).then(({ status }) => status)
    const made = await makeToken(env, '--sub', 'demo')
    expect(made).toMatchObject({ code: 0, stderr: '' })
    const token = made.stdout.trim()
    expect(await get('/v1/images', token)).toBe(200)
    expect(await get('/v1/admin/jobs', token)).toBe(403)
    const { stdout } = await makeToken(env, '--sub', 'root', '--scope', 'admin', '--expires', '2m')
    expect(await get('/v1/admin/jobs', stdout.trim())).toBe(200)
    expect(await get('/v1/images', `${token}x`)).toBe(401)
    expect(await get(`/v1/images?access_token=${token}`, 'x')).toBe(401)
    expect(await get('/v1/images', await tokenOf('demo'))).toBe(401)
    expect(program.logs.find(({ event }) => event === 'listening')).toMatchObject({
      users: 'by tokens that AUTH_JWT_SECRET signed',
      off: [],
    })
    await waitFor(() => program.stdout.includes('/v1/images'), { what: 'a line in the log' })
    expect(program.stdout + program.stderr).not.toMatch(/eyJ/)
    expect(program.stdout + program.stderr).not.toContain(testSecret)
  })

  it.each([
    [{}, ['--sub', 'demo'], /^landfall: AUTH_JWT_SECRET is not set: .*\n$/],
    [
      { AUTH_JWT_SECRET: 'short' },
      ['--sub', 'a'],
      /^landfall: AUTH_JWT_SECRET=\*{3}: expected .*\n$/,
    ],
    [
      { AUTH_JWKS_URL: 'https://id.example' },
      ['--sub', 'a'],
      /^landfall: AUTH_JWKS_URL is set.*\n$/,
    ],
    [env, [], /^landfall: usage: .*\n$/],
    [env, ['--name', 'demo'], /^landfall: .*--name.*usage: .*\n$/],
    [env, ['--sub', ''], /^landfall: .*sub.*\n$/],
    [env, ['--sub', 'demo', '--expires', 'soon'], /^landfall: --expires soon: expected .*\n$/],
  ])('is not made of %j and %j', async (settings, args, line) => {
    const { code, stdout, stderr } = await makeToken(settings, ...args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(line)
  })
})

it('the keys of an issuer may change, and be away for a while', async () => {
  const [first, second] = [await issuerKey('first'), await issuerKey('second', 'RS256')]
  await using issuer = await startIssuer(first)
  const env = { AUTH_JWKS_URL: issuer.url, AUTH_ISSUER: 'https://id.example' }
  await using program = await startProgram({ env })
  const claims = { iss: env.AUTH_ISSUER }
  const ada = await tokenBy(first, 'ada', claims)
  issuer.answer((_request, response) => response.writeHead(502).end())
  expect(await ask(program, '/v1/images', ada)).toMatchObject({
    status: 503,
    answer: { code: 'auth-unavailable' },
  })
  issuer.publish(first)
  await waitFor(async () => (await ask(program, '/v1/images', ada)).status === 200)
  const bob = await tokenBy(second, 'bob', claims)
  issuer.publish(first, second)
  await waitFor(async () => (await ask(program, '/v1/images', bob)).status === 200)
  issuer.answer((request) => request.socket.destroy())
  const cyd = await tokenBy(second, 'cyd', claims)
  expect(await ask(program, '/v1/images', cyd)).toMatchObject({ status: 200 })
  const secretly = await tokenOf('cyd', claims)
  expect(await ask(program, '/v1/images', secretly)).toMatchObject({ status: 401 })
  expect(program.logs.map(({ msg }) => msg)).toContain('the keys of AUTH_JWKS_URL cannot be had')
}, 60_000)
