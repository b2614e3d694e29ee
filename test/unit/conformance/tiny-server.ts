/** A server that does whatever a test wants of it, right or wrong. */
import { createServer, type RequestListener, type Server } from 'node:http'
import type { Discovered } from '../../../scripts/conformance/engine/discover.ts'
import type { Server as Target } from '../../../scripts/conformance/engine/server.ts'

export interface TinyServer extends AsyncDisposable {
  readonly server: Server
  readonly url: URL
}

export async function tinyServer(listener: RequestListener): Promise<TinyServer> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('not listening')
  return {
    server,
    url: new URL(`http://127.0.0.1:${address.port}/files`),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** How rows see it. */
export function targetOf(
  { url }: Pick<TinyServer, 'url'>,
  features: readonly string[] = [],
  more: Partial<Target> = {},
): Target {
  return {
    target: url,
    headers: {},
    removalHeaders: {},
    patienceMs: 10_000,
    settleMs: 10_000,
    contentTemplate: undefined,
    features: new Set(features),
    variables: new Map([['target', url.href]]),
    ...more,
  }
}

/** The same server for all protocols. */
export function discoveredAs(target: Target): Discovered {
  return { tus: target, ietf: { '5': target, '6': target, newest: target }, notes: [] }
}
