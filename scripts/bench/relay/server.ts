/**
 * The floor: the least a Node process can do to bring an upload to S3. It copies what arrives into
 * parts of 8 MiB and sends them on by plain HTTP, a few at a time. It hashes, signs, records and
 * retries nothing, and assembles no object.
 */
import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { announce } from '../announce.ts'
import { PartSender } from './part-sender.ts'

const sender = new PartSender(`${process.env.S3_ENDPOINT}/${process.env.S3_BUCKET}`)

const server = createServer((request, response) => {
  response.setHeader('Tus-Resumable', '1.0.0')
  if (request.method === 'POST') create(request, response)
  else if (request.method === 'PATCH') void patch(request, response)
  else response.writeHead(405).end()
})
server.requestTimeout = 0
announce(server)

function create(request: IncomingMessage, response: ServerResponse): void {
  request.resume()
  response.writeHead(201, { Location: `/files/${randomUUID()}` }).end()
}

/** Every PATCH is taken for the whole upload. */
async function patch(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const key = request.url?.split('/').at(-1) ?? ''
  try {
    const size = await sender.send(key, request)
    response.writeHead(204, { 'Upload-Offset': size }).end()
  } catch (error) {
    console.error(error)
    response.writeHead(500).end()
  }
}
