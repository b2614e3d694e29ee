/** Tokens as an issuer makes them, and the keys of one that has a JWKS. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type CryptoKey, exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose'

/** For `AUTH_JWT_SECRET`. */
export const testSecret =
  'a secret of the tests that is long enough, for any of the HMACs that there are'

/** Seconds since 1970. */
export const inSeconds = (seconds: number) => Math.floor(Date.now() / 1_000) + seconds

/** A good token of a user for an hour, unless the claims say otherwise. */
export function tokenOf(sub: string, claims: JWTPayload = {}, secret = testSecret) {
  return new SignJWT({ sub, exp: inSeconds(3_600), ...claims })
    .setProtectedHeader({ alg: 'HS256' })
    .sign(new TextEncoder().encode(secret))
}

/** The field a client sends. */
export const bearer = (token: string) => ({ Authorization: `Bearer ${token}` })

export interface IssuerKey {
  /** Undefined where the issuer names none. */
  readonly kid: string | undefined
  readonly alg: string
  readonly privateKey: CryptoKey
  /** As it is in the JWKS. */
  readonly jwk: Readonly<Record<string, unknown>>
}

export async function issuerKey(kid: string, alg = 'ES256'): Promise<IssuerKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  const jwk = { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' }
  return { kid, alg, privateKey, jwk }
}

export function tokenBy({ kid, alg, privateKey }: IssuerKey, sub: string, claims: JWTPayload = {}) {
  return new SignJWT({ sub, exp: inSeconds(3_600), ...claims })
    .setProtectedHeader({ alg, ...(kid !== undefined && { kid }) })
    .sign(privateKey)
}

type Answer = (request: IncomingMessage, response: ServerResponse) => void

export interface TestIssuer extends AsyncDisposable {
  readonly url: string
  /** How often it was asked for its keys. */
  readonly asked: () => number
  /** How it answers from now on. */
  answer(how: Answer): void
  publish(...keys: IssuerKey[]): void
}

/** An issuer's JWKS, on a real server. */
export async function startIssuer(...keys: IssuerKey[]): Promise<TestIssuer> {
  let asked = 0
  let how: Answer = () => {}
  const server = createServer((request, response) => {
    asked += 1
    how(request, response)
  })
  const { promise, resolve } = Promise.withResolvers<void>()
  server.listen(0, '127.0.0.1', resolve)
  await promise
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const issuer: TestIssuer = {
    url: `http://127.0.0.1:${port}/jwks.json`,
    asked: () => asked,
    answer: (next) => {
      how = next
    },
    publish: (...published) => {
      const body = JSON.stringify({ keys: published.map(({ jwk }) => jwk) })
      how = (_request, response) =>
        response.writeHead(200, { 'Content-Type': 'application/json' }).end(body)
    },
    async [Symbol.asyncDispose]() {
      const { promise: closed, resolve: done } = Promise.withResolvers<void>()
      server.close(() => done())
      server.closeAllConnections()
      await closed
    },
  }
  issuer.publish(...keys)
  return issuer
}
