import type { Principal } from '../auth/principal.ts'

/** What the middleware puts at the handlers' disposal. */
export interface HttpEnvironment {
  Variables: { principal: Principal }
}
