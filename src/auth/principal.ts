/** Who a request speaks for. */
export interface Principal {
  /** Owns what the principal uploads. */
  readonly id: string
  /** Whether the principal looks after this server, for everybody that uses it. */
  readonly isOperator: boolean
}

/** Finds out who a request speaks for, from its headers alone. */
export interface Authenticator {
  authenticate(headers: Headers): Promise<Principal>
}

/** The one user there is while authentication is off, and so the operator as well. */
export const localUser: Principal = { id: 'local', isOperator: true }

/** Authentication is off: everybody is the local user. */
export function openAuthenticator(): Authenticator {
  return { authenticate: async () => localUser }
}
