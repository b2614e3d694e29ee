import { type Caller, mayReach, type Rule, ruleOf, tokenRequired } from '../../auth/access.ts'
import type { Authenticator, Principal } from '../../auth/principal.ts'
import type { Queries } from '../../database/database.ts'
import { AppError } from '../../errors.ts'
import { uploadNotFound } from '../errors.ts'
import { findUpload } from '../ledger.ts'
import { isClosed, type Upload } from '../upload.ts'

/**
 * Returns an upload that a request may do to what it wants.
 * @throws AppError `upload-not-found` (404) for somebody else's as for none; 401 or 503 while it is not
 * known who asks.
 */
export type Reach = (upload: Upload | undefined) => Promise<Upload>

/** Who makes a request at the upload path, and what they may do there by the table of `auth/`. */
export class Visitor {
  readonly #caller: Caller
  readonly #rule: Rule
  /** Said to who needs to be known and is not. */
  readonly #unknown: AppError

  constructor(principal: Principal | undefined, rule: Rule, unknown = tokenRequired()) {
    this.#caller = { principal, hasLink: false }
    this.#rule = rule
    this.#unknown = unknown
  }

  /** Who begins an upload. @throws AppError `token-…` (401), `auth-unavailable` (503) */
  requireUser(): Principal {
    const { principal } = this.#caller
    if (!principal) throw this.#unknown
    return principal
  }

  async mayReach(upload: Upload): Promise<boolean> {
    const { owner } = upload
    return mayReach(this.#rule, this.#caller, { owner, isUnfinished: isHeld(upload) })
  }

  readonly reach: Reach = async (upload) => {
    if (upload && (await this.mayReach(upload))) return upload
    // Whoever is not known is not told either whether there is such an upload.
    throw this.#caller.principal ? uploadNotFound() : this.#unknown
  }
}

/**
 * Whether its URL alone opens it: until it is stored, and then so long as it may become a part of another
 * one. Never that of one by link: whoever was given the link is to send its bytes, and nothing else. Nor
 * that of one that comes in one request.
 */
function isHeld(upload: Upload): boolean {
  if (isClosed(upload)) return false
  return upload.state !== 'stored' || upload.concat?.role === 'partial'
}

/**
 * Finds out who makes a request. A token that is of no use, or that cannot be checked just now, is
 * held against nobody before it is needed: an upload goes on without.
 * @param method of a request about an upload; that of one which begins an upload makes no difference.
 */
export async function identify(
  authenticator: Authenticator,
  method: string,
  authorization: string | undefined,
): Promise<Visitor> {
  // To ask by GET where an upload stands is what HEAD is.
  const rule = ruleOf(`${method === 'GET' ? 'HEAD' : method} /files/{id}`) ?? []
  try {
    return new Visitor(await authenticator.authenticate(authorization), rule)
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    return new Visitor(undefined, rule, error)
  }
}

/** Whether an answer must tell nothing of the upload asked for, not even that it is there. */
export function isNotReached({ status }: AppError): boolean {
  return status === 401 || status === 404
}

/** An upload that an answer may tell something of, even where it refuses. */
export async function findReached(
  queries: Queries,
  id: string,
  visitor: Visitor,
): Promise<Upload | undefined> {
  const upload = await findUpload(queries, id)
  return upload && (await visitor.mayReach(upload)) ? upload : undefined
}
