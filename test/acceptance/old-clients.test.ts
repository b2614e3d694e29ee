import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { expect, it } from 'vitest'
import { startProgram } from '../support/program.ts'

/** HTTP/1.0 knows no `Host`, and load balancers ask by it whether a server is well. */
it('a request of HTTP/1.0 need not name a host', async () => {
  await using program = await startProgram()
  const { port } = new URL(program.url)
  for (const [path, status] of [
    ['/healthz', 200],
    ['/v1/config', 200],
    ['/v1/nothing', 404],
  ] as const) {
    const socket = connect(Number(port), '127.0.0.1')
    socket.write(`GET ${path} HTTP/1.0\r\n\r\n`)
    expect(await text(socket), path).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
  }
})
