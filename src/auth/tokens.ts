/** Bearer tokens (RFC 6750) that are JWTs (RFC 7519), checked by the advice of RFC 8725. */
import { hash } from 'node:crypto'
import {
  errors,
  type JWTPayload,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
  jwtVerify,
} from 'jose'
import { z } from 'zod'
import { AppError } from '../errors.ts'
import type { Authenticator, Principal } from './principal.ts'

/** What tokens are checked with. The one never takes what the other does, whatever a token says. */
export type TokenKeys = { readonly secret: string } | { readonly publicKeys: JWTVerifyGetKey }

export interface TokenAuthenticatorOptions {
  readonly keys: TokenKeys
  /** `iss` has to be this. */
  readonly issuer: string | undefined
  /** `aud` has to be this, or have it among others. */
  readonly audience: string | undefined
  /** Milliseconds since 1970. */
  readonly now?: () => number
}

const sharedAlgorithms = ['HS256']
const publicAlgorithms = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
]

/** Seconds that clocks may differ by. */
const skew = 30
const mostTokenBytes = 8 * 2 ** 10
/** A good token is not checked anew for so long, nor for longer than it is good. */
const rememberedMs = 60_000
const mostRemembered = 10_000

/**
 * Knows users by their tokens. `sub` is who they are, `scope` or `scp` what else they may: `admin`,
 * `storage-events`.
 * @throws as `Authenticator` says; what `publicKeys` throws as an AppError is passed on.
 */
export function createTokenAuthenticator(options: TokenAuthenticatorOptions): Authenticator {
  const { now = Date.now } = options
  const verify = createVerify(options)
  const remembered = new Map<string, { readonly principal: Principal; readonly until: number }>()

  function remember(digest: string, principal: Principal, exp: number): void {
    const [oldest] = remembered.keys()
    if (oldest !== undefined && remembered.size >= mostRemembered) remembered.delete(oldest)
    const until = Math.min(now() + rememberedMs, (exp + skew) * 1_000)
    remembered.set(digest, { principal, until })
  }

  return {
    async authenticate(authorization) {
      if (authorization === undefined) return undefined
      const token = tokenIn(authorization)
      const digest = hash('sha256', token, 'base64url')
      const known = remembered.get(digest)
      if (known && now() < known.until) return known.principal
      remembered.delete(digest)
      const { principal, exp } = await verify(token)
      remember(digest, principal, exp)
      return principal
    },
  }
}

/** @throws AppError `token-invalid` (401) for another scheme, several values, and what is too long. */
function tokenIn(authorization: string): string {
  if (authorization.length > mostTokenBytes) throw tokenInvalid('It is too long.')
  const [, token] = /^Bearer +([\w.~+/-]+=*) *$/i.exec(authorization) ?? []
  if (token === undefined) throw tokenInvalid('Authorization has to be "Bearer" and one token.')
  return token
}

function createVerify({ keys, issuer, audience, now = Date.now }: TokenAuthenticatorOptions) {
  const rules = {
    clockTolerance: skew,
    requiredClaims: ['exp', 'sub'],
    ...(issuer !== undefined && { issuer }),
    ...(audience !== undefined && { audience }),
  }
  const secret = 'secret' in keys ? new TextEncoder().encode(keys.secret) : undefined

  const check = (token: string) => {
    const currentDate = new Date(now())
    if ('publicKeys' in keys) {
      const algorithms = publicAlgorithms
      return verifyByAny(token, keys.publicKeys, { ...rules, algorithms, currentDate })
    }
    const algorithms = sharedAlgorithms
    return jwtVerify(token, secret ?? new Uint8Array(), { ...rules, algorithms, currentDate })
  }

  return async (token: string): Promise<{ principal: Principal; exp: number }> => {
    try {
      const { payload } = await check(token)
      return { principal: principalOf(payload), exp: payload.exp ?? 0 }
    } catch (error) {
      if (error instanceof AppError) throw error
      if (error instanceof errors.JWTExpired) throw tokenExpired()
      // Without a cause: it would hold what is in the token.
      throw tokenInvalid(reasonOf(error))
    }
  }
}

/**
 * As `jwtVerify`. A token need not name its key (RFC 7515, 4.1.4), nor are names unique while an issuer
 * goes over to another key: then it is good when one of those that fit has signed it.
 */
async function verifyByAny(token: string, keys: JWTVerifyGetKey, options: JWTVerifyOptions) {
  try {
    return await jwtVerify(token, keys, options)
  } catch (error) {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error
    for await (const key of error) {
      try {
        return await jwtVerify(token, key, options)
      } catch (failure) {
        if (!(failure instanceof errors.JWSSignatureVerificationFailed)) throw failure
      }
    }
    throw error
  }
}

const claimsSchema = z.object({
  // Names an owner in records and in paths, where a dot would be none.
  sub: z
    .string()
    .min(1)
    .max(255)
    .refine((sub) => !/\p{Cc}/u.test(sub) && sub.isWellFormed() && !/^\.{1,2}$/.test(sub)),
  scope: z.unknown().optional(),
  scp: z.unknown().optional(),
})

/** @throws AppError `token-invalid` (401) */
function principalOf(payload: JWTPayload): Principal {
  const { data } = claimsSchema.safeParse(payload)
  if (!data) throw tokenInvalid('Its sub is not 1 to 255 characters, none of them a control one.')
  const scopes = new Set([...scopesIn(data.scope), ...scopesIn(data.scp)])
  return {
    id: data.sub,
    isAdmin: scopes.has('admin'),
    isStorage: scopes.has('storage-events'),
  }
}

/** Separated by spaces (RFC 8693, 4.2), or as an array, as some issuers have it. */
function scopesIn(claim: unknown): string[] {
  const texts = typeof claim === 'string' ? claim.split(' ') : Array.isArray(claim) ? claim : []
  return texts.filter((text) => typeof text === 'string')
}

/** What is wrong with the token, as far as its owner can do something about it. */
function reasonOf(error: unknown): string {
  if (error instanceof errors.JWTClaimValidationFailed) return `Its ${error.claim} is not accepted.`
  return 'It is not one that is accepted here.'
}

function tokenInvalid(reason: string): AppError {
  return new AppError('token-invalid', 401, `The token cannot be used. ${reason}`)
}

function tokenExpired(): AppError {
  return new AppError('token-expired', 401, 'The token has expired.')
}
