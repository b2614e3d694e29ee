import type { Server } from 'node:net'

/** Listens on a free port of loopback, says where, and ends on SIGTERM whatever is still open. */
export function announce(server: Server): void {
  server.listen({ host: '127.0.0.1', port: 0 }, () => {
    const address = server.address()
    const port = typeof address === 'object' ? address?.port : undefined
    console.log(JSON.stringify({ event: 'listening', url: `http://127.0.0.1:${port}` }))
  })
  process.once('SIGTERM', () => process.exit())
}
