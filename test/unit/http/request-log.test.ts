import { once } from 'node:events'
import { createServer, request as httpRequest, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pino } from 'pino'
import { afterEach, describe, expect, it } from 'vitest'
import { createRequestLog } from '../../../src/http/request-log.ts'

describe('the log of requests', () => {
  const opened: (() => void)[] = []
  afterEach(() => {
    for (const close of opened.splice(0)) close()
  })

  /** A server that logs each request at any level, and its lines. */
  async function serve(answer: RequestListener, level = 'trace') {
    const lines: string[] = []
    const logger = pino({ level, base: null }, { write: (line: string) => lines.push(line) })
    const log = createRequestLog(logger)
    const server = createServer((request, response) => {
      log(request, response)
      answer(request, response)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    opened.push(() => {
      server.close()
      server.closeAllConnections()
    })
    const { port } = server.address() as AddressInfo
    const logged = () => lines.map((line) => JSON.parse(line))
    return { url: `http://127.0.0.1:${port}`, port, logged, lines }
  }

  it.each([
    [201, 20],
    [404, 30],
    [503, 40],
  ])('says at the level that a %i deserves what was asked and answered', async (status, level) => {
    const { url, logged } = await serve((_, response) => response.writeHead(status).end('x'))
    const answer = await fetch(`${url}/files/1`, { method: 'DELETE' })
    await expect.poll(logged).toHaveLength(1)
    expect(logged()[0]).toEqual({
      level,
      time: expect.any(Number),
      req: {
        id: answer.headers.get('x-request-id'),
        method: 'DELETE',
        url: '/files/1',
        remoteAddress: '127.0.0.1',
      },
      res: { statusCode: status },
      responseTime: expect.any(Number),
      msg: `DELETE /files/1 ${status}`,
    })
  })

  it('says nothing of a level that is off', async () => {
    const { url, lines } = await serve((_, response) => response.end(), 'info')
    await (await fetch(url)).text()
    await (await fetch(url)).text()
    expect(lines).toEqual([])
  })

  it('keeps a query and headers to itself', async () => {
    const { url, lines } = await serve((_, response) => response.end())
    await fetch(`${url}/a?signature=secret`, { headers: { Authorization: 'Bearer secret' } })
    await expect.poll(() => lines).toHaveLength(1)
    expect(lines[0]).not.toContain('secret')
    expect(lines[0]).not.toContain('signature')
  })

  it.each([
    ['takes the id of a client', 'abc-1.2_3', true],
    ['makes an id in place of one that is none', 'a b', false],
    ['makes an id in place of one that is too long', 'a'.repeat(65), false],
  ])('%s', async (_, given, taken) => {
    const { url, logged } = await serve((_, response) => response.end())
    const { headers } = await fetch(url, { headers: { 'X-Request-Id': given } })
    const id = headers.get('x-request-id')
    if (taken) expect(id).toBe(given)
    else expect(id).toMatch(/^[0-9a-f-]{36}$/)
    await expect.poll(logged).toMatchObject([{ req: { id } }])
  })

  it('says that a request was not answered when its client went', async () => {
    const { port, logged } = await serve(() => {})
    const request = httpRequest({ port, host: '127.0.0.1', method: 'PATCH', path: '/files/1' })
    request.on('error', () => {})
    request.end()
    opened.push(() => request.destroy())
    await once(request, 'socket')
    await once(request, 'finish')
    request.destroy()
    await expect.poll(logged).toMatchObject([{ msg: 'PATCH /files/1 not answered' }])
    expect(logged()[0]).not.toHaveProperty('res')
    expect(logged()[0].req.remoteAddress).toBe('127.0.0.1')
  })
})
