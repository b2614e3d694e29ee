import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'

export interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string | number>>
  /** So many zeros when it is a number. */
  readonly body?: string | Buffer | number
}

/** An error as S3 writes it. */
export class S3Error extends Error {
  readonly status: number
  readonly code: string

  constructor(status: number, code: string, message: string) {
    super(message)
    this.status = status
    this.code = code
  }

  toAnswer(): Answer {
    const { code, message, status } = this
    return { ...xml('Error', `<Code>${code}</Code><Message>${message}</Message>`), status }
  }
}

export function xml(root: string, content: string): Answer {
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n<${root}>${content}</${root}>`
  return { status: 200, headers: { 'Content-Type': 'application/xml' }, body }
}

export function escapeXml(text: string): string {
  return text.replace(/[<>&"]/g, (character) => `&#${character.charCodeAt(0)};`)
}

/** The content of every element of a name, in a document without nesting of that name. */
export function elements(document: string, name: string): string[] {
  const pattern = new RegExp(`<${name}>([^]*?)</${name}>`, 'g')
  return [...document.matchAll(pattern)].map(([, content = '']) => unescapeXml(content))
}

/** Writes an answer, without its body to a HEAD. */
export function writeAnswer(
  socket: Socket,
  { status, headers, body = '' }: Answer,
  withoutBody: boolean,
): void {
  const length = typeof body === 'number' ? body : Buffer.byteLength(body)
  const lines = Object.entries({ 'Content-Length': length, ...headers })
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  socket.cork()
  socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${head}\r\n`, 'latin1')
  if (typeof body === 'number') writeZeros(socket, withoutBody ? 0 : body)
  else if (length > 0 && !withoutBody) socket.write(body)
  socket.uncork()
}

const zeros = Buffer.alloc(2 ** 20)

function writeZeros(socket: Socket, count: number): void {
  const bytes = zeros.subarray(0, count)
  if (bytes.length === 0) return
  // The callback comes when the bytes have gone: no more than this is ever waiting.
  socket.write(bytes, (error) => {
    if (!error) writeZeros(socket, count - bytes.length)
  })
}

function unescapeXml(text: string): string {
  return text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)))
    .replaceAll('&amp;', '&')
}
