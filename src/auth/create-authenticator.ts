import type { Logger } from '../operations/logger.ts'
import { remoteKeys } from './jwks.ts'
import { type Authenticator, openAuthenticator } from './principal.ts'
import type { AuthConfig } from './settings.ts'
import { createTokenAuthenticator } from './tokens.ts'

/** Knows users in the way that the settings say. */
export function createAuthenticator(auth: AuthConfig, logger: Logger): Authenticator {
  if (auth.mode !== 'jwt') return openAuthenticator()
  const { keys, ...rules } = auth
  if ('secret' in keys) return createTokenAuthenticator({ ...rules, keys })
  const publicKeys = remoteKeys(keys.jwksUrl, {
    onFailure: (error) => logger.warn({ err: error }, 'the keys of AUTH_JWKS_URL cannot be had'),
  })
  return createTokenAuthenticator({ ...rules, keys: { publicKeys } })
}
