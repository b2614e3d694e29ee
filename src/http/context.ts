import type { HttpBindings } from '@hono/node-server'
import type { Caller, Rule } from '../auth/access.ts'

/** What the middleware puts at the handlers' disposal. */
export interface HttpEnvironment {
  /** The request as Node has it; there is none where no socket is. */
  Bindings: Partial<HttpBindings>
  Variables: {
    /** Who makes the request. */
    caller: Caller
    /** Who may make it: the rule of the route. */
    rule: Rule
  }
}
