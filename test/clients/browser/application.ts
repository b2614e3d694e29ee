import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
// Comes with vitest.
import { build } from 'rolldown'

export interface Application extends AsyncDisposable {
  /** An origin of its own. */
  readonly url: string
}

/** Serves the page that uploads, bundled the way applications are. */
export async function serveApplication(): Promise<Application> {
  const { output } = await build({
    input: join(import.meta.dirname, 'page.js'),
    platform: 'browser',
    write: false,
    logLevel: 'silent',
    output: { format: 'iife' },
  })
  const [{ code }] = output
  const html = `<!doctype html><meta charset="utf-8"><input type="file" multiple><script src="/page.js"></script>`
  const server = createServer((request, response) => {
    const isScript = request.url === '/page.js'
    response.setHeader('Content-Type', isScript ? 'text/javascript' : 'text/html')
    response.end(isScript ? code : html)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}
