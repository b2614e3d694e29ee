/** `npm run --silent token -- --sub NAME`: prints a token, to try Landfall out as a user of it. */
import { parseArgs } from 'node:util'
import { SignJWT } from 'jose'
import { createTokenAuthenticator } from '../src/auth/tokens.ts'
import { type Config, loadConfig } from '../src/config.ts'
import { AppError, messageOf } from '../src/errors.ts'
import { parseDuration } from '../src/settings.ts'

const usage =
  'usage: npm run --silent token -- --sub NAME [--scope "admin storage-events"] [--expires 1h]'

try {
  console.log(await makeToken(loadConfig().auth, readArguments()))
} catch (error) {
  if (!(error instanceof AppError)) throw error
  console.error(`landfall: ${error.message}`)
  process.exitCode = 2
}

interface Options {
  readonly sub: string
  readonly scope: string | undefined
  readonly seconds: number
}

/** @throws AppError with the one line that says what is missing. */
async function makeToken(auth: Config['auth'], options: Options): Promise<string> {
  if (auth.mode !== 'jwt') {
    throw refusal(
      'AUTH_JWT_SECRET is not set: expected the secret that the server was started with',
    )
  }
  const { keys, issuer, audience } = auth
  if (!('secret' in keys)) {
    throw refusal('AUTH_JWKS_URL is set: only its issuer has the keys that sign tokens')
  }
  const { sub, scope, seconds } = options
  const token = new SignJWT({
    sub,
    ...(scope !== undefined && { scope }),
    ...(issuer !== undefined && { iss: issuer }),
    ...(audience !== undefined && { aud: audience }),
  })
  token.setProtectedHeader({ alg: 'HS256', typ: 'JWT' }).setIssuedAt()
  token.setExpirationTime(Math.floor(Date.now() / 1_000) + seconds)
  const text = await token.sign(new TextEncoder().encode(keys.secret))
  // What the server would not take is of no use.
  await createTokenAuthenticator({ keys, issuer, audience }).authenticate(`Bearer ${text}`)
  return text
}

function readArguments(): Options {
  const { sub, scope, expires } = parse()
  if (sub === undefined) throw refusal(usage)
  const milliseconds = parseDuration(expires)
  if (!milliseconds)
    throw refusal(`--expires ${expires}: expected a time such as 90s, 15m, 1h or 7d`)
  return { sub, scope, seconds: milliseconds / 1_000 }
}

function parse() {
  try {
    const { values } = parseArgs({
      options: {
        sub: { type: 'string' },
        scope: { type: 'string' },
        expires: { type: 'string', default: '1h' },
      },
    })
    return values
  } catch (error) {
    throw refusal(`${messageOf(error).split('\n', 1)[0]} (${usage})`)
  }
}

function refusal(message: string): AppError {
  return new AppError('bad-usage', 400, message)
}
