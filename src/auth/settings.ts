import { parseOneOf, type Setting, SettingError, type Values } from '../settings.ts'

/** Of an HMAC key for HS256: not less than its output has (RFC 7518, 3.2). */
const leastSecretBytes = 32

export const authSettings = {
  mode: {
    name: 'AUTH',
    expected: '"jwt", "off", or "off,off" to leave it off on an address that others can reach',
    description:
      '`jwt`: users have tokens, checked by one of the next two. `off`: everybody is one local user; only on a loopback address. `off,off` asks for it twice, for any address. Unset: `jwt` where one of the two is set, else `off`.',
    parse: parseOneOf('off', 'off,off', 'jwt'),
  } satisfies Setting<'off' | 'off,off' | 'jwt'>,
  secret: {
    name: 'AUTH_JWT_SECRET',
    secret: true,
    expected: `at least ${leastSecretBytes} bytes, such as "openssl rand -base64 32" prints`,
    description: 'The secret that tokens are signed with (HS256), of 32 bytes or more.',
    parse: (raw) => (Buffer.byteLength(raw) >= leastSecretBytes ? raw : undefined),
  } satisfies Setting<string>,
  jwksUrl: {
    name: 'AUTH_JWKS_URL',
    expected: 'an https URL without a user name, or an http URL of this machine',
    description:
      'Where the public keys of whoever issues tokens are (JWKS; RS, PS, ES and EdDSA algorithms).',
    parse: parseJwksUrl,
  } satisfies Setting<string>,
  issuer: {
    name: 'AUTH_ISSUER',
    expected: 'what tokens have as their issuer',
    description: 'The `iss` that tokens must have; unset: it is not looked at.',
    parse: (raw) => raw,
  } satisfies Setting<string>,
  audience: {
    name: 'AUTH_AUDIENCE',
    expected: 'what tokens have as their audience',
    description:
      'The `aud` that tokens must have, or have among others; unset: it is not looked at. To be set where the issuer has tokens for other services, too.',
    parse: (raw) => raw,
  } satisfies Setting<string>,
}

/** How it is found out who a request speaks for. */
export type AuthConfig =
  | { readonly mode: 'off' | 'off,off' }
  | {
      readonly mode: 'jwt'
      /** What tokens are checked with: a secret, or the URL of public keys. */
      readonly keys: { readonly secret: string } | { readonly jwksUrl: string }
      readonly issuer: string | undefined
      readonly audience: string | undefined
    }

const { mode: modeSetting, secret: secretSetting, jwksUrl: jwksSetting } = authSettings

/**
 * What the settings say together.
 * @throws SettingError for settings that contradict each other: who set one wants it to count.
 */
export function authConfig(given: Values<typeof authSettings>): AuthConfig {
  const { secret, jwksUrl, issuer, audience } = given
  const [first] = Object.entries({ secret, jwksUrl, issuer, audience })
    .filter(([, value]) => value !== undefined)
    .map(([key]) => nameOf(key))
  if (given.mode === 'off' || given.mode === 'off,off') {
    if (first) throw new SettingError(modeSetting.name, given.mode, `jwt, as ${first} is set`)
    return { mode: given.mode }
  }
  if (secret !== undefined && jwksUrl !== undefined) {
    const wanted = `${secretSetting.name} not to be set as well`
    throw new SettingError(jwksSetting.name, jwksUrl, wanted)
  }
  const rest = { mode: 'jwt', issuer, audience } as const
  if (secret !== undefined) return { ...rest, keys: { secret } }
  if (jwksUrl !== undefined) return { ...rest, keys: { jwksUrl } }
  if (given.mode === undefined && first === undefined) return { mode: 'off' }
  const [name, value] =
    given.mode === 'jwt'
      ? [modeSetting.name, given.mode]
      : [first ?? modeSetting.name, issuer ?? audience ?? '']
  const wanted = `${secretSetting.name} or ${jwksSetting.name} to be set as well`
  throw new SettingError(name, value, wanted)
}

function nameOf(key: string): string | undefined {
  return Object.entries(authSettings).find(([each]) => each === key)?.[1].name
}

/** Over http anybody in between could put keys of their own in place of these. */
function parseJwksUrl(raw: string): string | undefined {
  const url = URL.parse(raw)
  if (!url || url.username || url.password) return undefined
  const isHere = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(url.hostname)
  return url.protocol === 'https:' || (url.protocol === 'http:' && isHere) ? url.href : undefined
}

/** How users are known, for whoever starts the server. */
export function describeUsers(auth: AuthConfig): string {
  if (auth.mode !== 'jwt') return 'everybody is one'
  if ('secret' in auth.keys) return 'by tokens that AUTH_JWT_SECRET signed'
  const { origin, pathname } = new URL(auth.keys.jwksUrl)
  return `by tokens of ${origin}${pathname}`
}
