/** The stack Landfall is measured against: @tus/server on @tus/file-store, as their guides show it. */
import type { AddressInfo } from 'node:net'
import { FileStore } from '@tus/file-store'
import { Server } from '@tus/server'

const directory = process.argv[2]
if (directory === undefined) throw new Error('usage: server.ts <directory>')

const tus = new Server({ path: '/files', datastore: new FileStore({ directory }) })
const server = tus.listen({ host: '127.0.0.1', port: 0 }, () => {
  const { port } = server.address() as AddressInfo
  console.log(JSON.stringify({ event: 'listening', url: `http://127.0.0.1:${port}` }))
})
process.once('SIGTERM', () => {
  server.close()
  server.closeAllConnections()
})
