/**
 * The API as a type, for clients in TypeScript. It says what each route takes and answers, and it is
 * all of this package that others may import: `import type { Api } from 'landfall/client'`.
 */
import type { createApp } from './app.ts'

/** For `hc` of `hono/client`: `hc<Api>('https://files.example')`. */
export type Api = ReturnType<typeof createApp>
