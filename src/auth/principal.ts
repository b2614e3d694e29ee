/** Who a request speaks for. */
export interface Principal {
  /** Owns what the principal uploads. */
  readonly id: string
}

/** Finds out who a request speaks for, from its headers alone. */
export interface Authenticator {
  authenticate(headers: Headers): Promise<Principal>
}

/** The one user there is while authentication is off. */
export const localUser: Principal = { id: 'local' }

/** Authentication is off: everybody is the local user. */
export function openAuthenticator(): Authenticator {
  return { authenticate: async () => localUser }
}
