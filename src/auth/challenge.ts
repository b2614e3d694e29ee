import type { AppError } from '../errors.ts'

const realm = 'Bearer realm="landfall"'

/**
 * `WWW-Authenticate` for an error (RFC 9110, 11.6.1): what is wrong with the token only where one was
 * sent, or more is needed than it allows (RFC 6750, 3). Undefined where a token makes no difference.
 */
export function challengeOf({ code, status, message }: AppError): string | undefined {
  if (code === 'not-an-admin') return `${realm}, error="insufficient_scope", scope="admin"`
  if (status !== 401) return undefined
  if (code === 'token-required') return realm
  const description = message.replace(/[^ -~]|["\\]/g, '')
  return `${realm}, error="invalid_token", error_description="${description}"`
}
