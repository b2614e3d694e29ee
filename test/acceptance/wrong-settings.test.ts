import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort } from '../support/free-port.ts'
import { runProgram, startProgram } from '../support/program.ts'
import { startS3, type TestS3 } from '../support/s3.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

describe('a wrong setting stops the start with one line that names it', () => {
  let s3: TestS3

  beforeAll(async () => {
    s3 = await startS3()
  })

  afterAll(async () => {
    await s3.close()
  })

  /** Runs the program to its end; the line is all it said on standard error. */
  async function refusal(env: Readonly<Record<string, string>>): Promise<string> {
    const { code, stdout, stderr } = await runProgram({ env })
    expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringMatching(/^[^\n]+\n$/) })
    expect(stdout).not.toContain('listening')
    return stderr
  }

  it.each([
    ['a port that is no number', { PORT: 'eighty' }, /PORT=eighty: expected .*port/],
    ['a port that is too high', { PORT: '70000' }, /PORT=70000: expected .*port/],
    [
      'a size that is none',
      { MAX_UPLOAD_SIZE: 'plenty' },
      /MAX_UPLOAD_SIZE=plenty: expected .*size/,
    ],
    [
      'an unknown database',
      { DATABASE_URL: 'mysql://db/x' },
      /DATABASE_URL=mysql:\S+: expected .*postgres/,
    ],
    ['no authentication on every address', { HOST: '0.0.0.0' }, /AUTH=off: expected .*off,off/],
    ['tokens that nothing can check', { AUTH: 'jwt' }, /AUTH=jwt: expected AUTH_JWT_SECRET or/],
    [
      'a secret that can be guessed',
      { AUTH_JWT_SECRET: 'guess' },
      /AUTH_JWT_SECRET=\*{3}: expected/,
    ],
    [
      'keys that anybody in between could change',
      { AUTH_JWKS_URL: 'http://id.example/jwks' },
      /AUTH_JWKS_URL=.*expected an https URL/,
    ],
    ['an unknown kind of authentication', { AUTH: 'maybe' }, /AUTH=maybe: expected .*off/],
    [
      'an endpoint without a bucket',
      { S3_ENDPOINT: 'http://127.0.0.1:9' },
      /S3_ENDPOINT=.*S3_BUCKET/,
    ],
    [
      'a file of presets that is not there',
      { PRESETS_FILE: '/nowhere/presets.json' },
      /^landfall: PRESETS_FILE=\/nowhere\/presets.json: expected a file that can be read/,
    ],
    [
      'delivery by a bucket without one',
      { DELIVERY: 'redirect' },
      /DELIVERY=redirect: .*S3_BUCKET/,
    ],
  ])('%s', async (_name, env, line) => {
    expect(await refusal(env)).toMatch(line)
  })

  it('a port that is taken', async () => {
    await using other = await startProgram()
    const { port } = new URL(other.url)
    expect(await refusal({ PORT: port })).toContain(`PORT=${port}`)
  })

  it('an S3 server that cannot be reached', async () => {
    const endpoint = `http://127.0.0.1:${await freePort()}`
    expect(await refusal({ ...s3.env, S3_ENDPOINT: endpoint })).toMatch(/S3_ENDPOINT/)
  })

  it('a bucket that does not exist', async () => {
    expect(await refusal({ ...s3.env, S3_BUCKET: 'nowhere' })).toMatch(/S3_BUCKET=nowhere/)
  })

  it('a data directory that cannot be written', async () => {
    // Below a file: that stops root as well.
    await using directory = await temporaryDirectory()
    const file = join(directory.path, 'file')
    await writeFile(file, '')
    expect(await refusal({ DATA_DIR: join(file, 'data') })).toMatch(/DATA_DIR/)
  })

  it('a PostgreSQL that cannot be reached, without telling its password', async () => {
    const url = `postgres://landfall:opensesame@127.0.0.1:${await freePort()}/landfall`
    const line = await refusal({ DATABASE_URL: url })
    expect(line).toMatch(/DATABASE_URL/)
    expect(line).not.toContain('opensesame')
  })
})
