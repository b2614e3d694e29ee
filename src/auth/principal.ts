/** Who a request speaks for. */
export interface Principal {
  /** Owns what the principal uploads, posts and says. */
  readonly id: string
  /** Whether the principal looks after this server, for everybody that uses it. */
  readonly isAdmin: boolean
  /** Whether the principal is the storage that tells of what arrived in it, or speaks for it. */
  readonly isStorage: boolean
}

/** Finds out who a request speaks for, from its `Authorization` field alone. */
export interface Authenticator {
  /**
   * @param authorization the field as it was sent, if it was.
   * @returns undefined for a request that says nothing of who it speaks for.
   * @throws AppError `token-invalid`, `token-expired` (401) for one that says what cannot be believed,
   * `auth-unavailable` (503) when it cannot be found out just now.
   */
  authenticate(authorization: string | undefined): Promise<Principal | undefined>
}

/** The one user there is while authentication is off, and so everything else as well. */
export const localUser: Principal = { id: 'local', isAdmin: true, isStorage: true }

/** Authentication is off: everybody is the local user. */
export function openAuthenticator(): Authenticator {
  return { authenticate: async () => localUser }
}
