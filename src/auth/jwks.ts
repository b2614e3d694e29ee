import { createLocalJWKSet, errors, type JWTVerifyGetKey } from 'jose'
import { z } from 'zod'
import { AppError } from '../errors.ts'

export interface RemoteKeysOptions {
  /** Told of each time that the keys could not be had. */
  readonly onFailure: (error: unknown) => void
  readonly times?: Partial<RemoteKeysTimes>
  /** Milliseconds, of a clock that is never set. */
  readonly now?: () => number
}

/** Milliseconds. */
export interface RemoteKeysTimes {
  /** How old keys may be before they are asked for again. */
  readonly fresh: number
  /** How old they may be at most, while they cannot be had. */
  readonly stale: number
  /** How long nobody asks again, whoever wants it: after an answer, and after a failure. */
  readonly cooldown: number
  /** How long an answer may take, with all of its bytes. */
  readonly timeout: number
}

const defaultTimes: RemoteKeysTimes = {
  fresh: 600_000,
  stale: 86_400_000,
  cooldown: 5_000,
  timeout: 5_000,
}

/** A set of keys has some hundred bytes for each. */
const mostBytes = 256 * 2 ** 10

type Keys = ReturnType<typeof createLocalJWKSet>

/**
 * The public keys of an issuer, from its JWKS (RFC 7517). They are kept, and asked for again when a
 * token names one that is not among them, as after a rotation; but not more often than the cooldown
 * allows, whatever tokens come. While they cannot be had, those that are known go on counting for a
 * day.
 *
 * What it returns throws `auth-unavailable` (503) when it cannot be known whether there is such a key,
 * and an error of jose for a token that there is none for.
 */
export function remoteKeys(url: string, options: RemoteKeysOptions): JWTVerifyGetKey {
  const { onFailure, now = () => performance.now() } = options
  const times = { ...defaultTimes, ...options.times }
  let known: { readonly keys: Keys; readonly since: number } | undefined
  let asked: { readonly at: number; readonly failed: boolean } | undefined
  let asking: Promise<void> | undefined

  async function ask(): Promise<void> {
    let failed = true
    try {
      known = { keys: await fetchKeys(url, times.timeout), since: now() }
      failed = false
    } catch (error) {
      onFailure(error)
    }
    asked = { at: now(), failed }
    asking = undefined
  }

  /** Asks once for all that want it at the same time. */
  async function refresh(): Promise<void> {
    if (!asking && asked && now() - asked.at < times.cooldown) return
    asking ??= ask()
    await asking
  }

  /** Nobody waits for an issuer that was away the last time, so long as there are keys that count. */
  async function keepFresh(): Promise<void> {
    const age = known ? now() - known.since : Number.POSITIVE_INFINITY
    if (age < times.fresh) return
    const refreshed = refresh()
    if (age >= times.stale || !asked?.failed) await refreshed
  }

  return async (header, token) => {
    await keepFresh()
    if (!known || now() - known.since >= times.stale) throw unavailable()
    try {
      return await known.keys(header, token)
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
      const before = known
      await refresh()
      if (known === before && asked?.failed) throw unavailable()
      return known.keys(header, token)
    }
  }
}

function unavailable(): AppError {
  const message = 'It cannot be found out just now whether the token is good.'
  return new AppError('auth-unavailable', 503, message, { retryAfter: 5 })
}

/** What of a key is public; that of a private or a shared one is left out. */
const keySchema = z.object({
  kty: z.enum(['RSA', 'EC', 'OKP']),
  kid: z.string().exactOptional(),
  alg: z.string().exactOptional(),
  use: z.string().exactOptional(),
  key_ops: z.array(z.string()).exactOptional(),
  crv: z.string().exactOptional(),
  n: z.string().exactOptional(),
  e: z.string().exactOptional(),
  x: z.string().exactOptional(),
  y: z.string().exactOptional(),
})
const keySetSchema = z.object({ keys: z.array(z.unknown()) })

async function fetchKeys(url: string, timeoutMs: number): Promise<Keys> {
  const response = await fetch(url, {
    headers: { Accept: 'application/jwk-set+json, application/json' },
    // Where it leads to could be anywhere, and without TLS.
    redirect: 'error',
    signal: AbortSignal.timeout(timeoutMs),
  })
  const text = await readText(response)
  if (response.status !== 200) throw new Error(`the answer was ${response.status}`)
  const { keys } = keySetSchema.parse(JSON.parse(text))
  // Those of kinds that are not known here are for others (RFC 7517, 5).
  const usable = keys.flatMap((key) => keySchema.safeParse(key).data ?? [])
  if (usable.length === 0) throw new Error('there is no key in it that could be used')
  return createLocalJWKSet({ keys: usable })
}

async function readText({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body ?? []) {
    size += chunk.length
    // Leaving the loop cancels the rest.
    if (size > mostBytes) throw new Error(`the answer has more than ${mostBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}
