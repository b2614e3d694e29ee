import { createHmac, timingSafeEqual } from 'node:crypto'

/** Both are put behind a path. */
const expiresField = 'expires'
const signatureField = 'signature'

/**
 * URLs of this server that open what they name to whoever has them, for a while: for `<img>`, which
 * sends no token. The path alone is signed, with HMAC-SHA-256 (RFC 2104), however it is
 * percent-encoded; what else is asked of it in the query is free.
 */
export class SignedUrls {
  #key: Buffer | undefined

  /** To be called once, before any other. @param key secret, the same in all processes. */
  useKey(key: Buffer): void {
    this.#key = key
  }

  /**
   * What makes a path a signed URL, as fields of its query.
   * @param path of this server, without its public name.
   * @param seconds it is good for at least; up to twice that, so that within this time everybody is
   * given the same URL, and what it leads to can be kept.
   */
  sign(path: string, seconds: number, now = Date.now()): Record<string, string> {
    return this.#fields(path, (Math.floor(now / 1_000 / seconds) + 2) * seconds)
  }

  /** The same for a URL that is good until a moment (in milliseconds since 1970), to the second. */
  signUntil(path: string, until: number): Record<string, string> {
    return this.#fields(path, Math.ceil(until / 1_000))
  }

  #fields(path: string, expires: number): Record<string, string> {
    return {
      [expiresField]: String(expires),
      [signatureField]: this.#signature(canonical(path), expires),
    }
  }

  /** Whether a URL was signed here, and is still good. */
  verify(path: string, query: URLSearchParams, now = Date.now()): boolean {
    const expires = query.get(expiresField) ?? ''
    const given = query.get(signatureField) ?? ''
    if (!/^\d{1,12}$/.test(expires) || Number(expires) * 1_000 <= now) return false
    const name = canonicalIfAny(path)
    if (name === undefined) return false
    const expected = Buffer.from(this.#signature(name, Number(expires)))
    const actual = Buffer.from(given)
    return actual.length === expected.length && timingSafeEqual(actual, expected)
  }

  #signature(path: string, expires: number): string {
    if (!this.#key) throw new Error('there is no key to sign with yet')
    return createHmac('sha256', this.#key).update(`${expires}\n${path}`).digest('base64url')
  }
}

/** Each segment in one encoding, since whatever a URL passes through may choose another (RFC 3986, 6.2.2). */
function canonical(path: string): string {
  const segments = path.split('/')
  return segments.map((segment) => encodeURIComponent(decodeURIComponent(segment))).join('/')
}

/** @returns undefined for a path that cannot be decoded, which is none of ours. */
function canonicalIfAny(path: string): string | undefined {
  try {
    return canonical(path)
  } catch {
    return undefined
  }
}
