/** Requests as they go over the wire. */

import type { Operation } from './document.ts'
import type { BodyDraft, CallerName, Draft, Part } from './drafts.ts'
import type { Pool } from './slots.ts'

export interface FuzzRequest {
  readonly operation: Operation | undefined
  readonly method: string
  /** With its query. */
  readonly path: string
  readonly caller: CallerName
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer | undefined
  readonly chunked: boolean
}

/** @param contents the files that drafts name by number. */
export function requestOf(draft: Draft, pool: Pool, contents: readonly Buffer[]): FuzzRequest {
  const { operation, method, caller, chunked } = draft
  const body = draft.body && bytesOf(draft.body, pool, contents)
  return {
    ...{ operation, method, caller, chunked: chunked && body !== undefined },
    path: pathOf(draft, pool),
    headers: { ...headersOf(draft, pool), ...(body?.type && { 'Content-Type': body.type }) },
    body: body?.bytes,
  }
}

function pathOf(draft: Draft, pool: Pool): string {
  const known = draft.byUrl === undefined ? [] : urlsFor(draft.path, pool)
  const url = known[(draft.byUrl ?? 0) % Math.max(1, known.length)]
  if (url) return url.pathname + url.search
  const path = draft.path.replace(/\{(\w+)\}/g, (_, name) => segment(draft.inPath[name], pool))
  const query = Object.entries(draft.inQuery)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${encode(textOf(value, pool)).slice(0, 6_000)}`)
  return query.length > 0 ? `${path}?${query.join('&')}` : path
}

/** Those of answers that lead to a path: signed ones among them. */
function urlsFor(path: string, pool: Pool): URL[] {
  const pattern = new RegExp(`^${path.replace(/\{\w+\}/g, '[^/]+')}$`)
  return pool
    .all('url')
    .map((url) => new URL(url, 'http://server'))
    .filter(({ pathname }) => pattern.test(pathname))
}

function segment(value: unknown, pool: Pool): string {
  if (typeof value === 'object' && value !== null && 'encoded' in value)
    return String(value.encoded)
  const text = encode(textOf(value, pool)).slice(0, 6_000)
  // These two lead to another path, wherever they are written (RFC 3986 5.2.4).
  return text.replace(/^\.{1,2}$/, 'dots')
}

function encode(text: string): string {
  return encodeURIComponent(text.toWellFormed())
}

function textOf(value: unknown, pool: Pool): string {
  const filled = pool.fillAll(value)
  return typeof filled === 'object' ? JSON.stringify(filled) : String(filled)
}

/** Only what HTTP lets into a field. */
function headersOf({ inHeader }: Draft, pool: Pool): Record<string, string> {
  const given = Object.entries(inHeader).filter(([, value]) => value !== undefined)
  return Object.fromEntries(
    given.map(([name, value]) => [
      name,
      textOf(value, pool)
        .replaceAll(/[^\t\x20-\x7e\x80-\xff]/g, '')
        .slice(0, 4_000),
    ]),
  )
}

interface Body {
  readonly type: string
  readonly bytes: Buffer
}

function bytesOf(body: BodyDraft, pool: Pool, contents: readonly Buffer[]): Body {
  switch (body.kind) {
    case 'json':
      return { type: body.type, bytes: Buffer.from(JSON.stringify(pool.fillAll(body.value))) }
    case 'text':
      return { type: body.type, bytes: Buffer.from(body.text) }
    case 'huge':
      return { type: body.type, bytes: Buffer.from(`{"text":"${'x'.repeat(body.bytes - 11)}"}`) }
    case 'file':
      return { type: body.type, bytes: fileOf(contents, body.content) }
    case 'form':
      return formOf(body.parts, contents, body.cut)
  }
}

function fileOf(contents: readonly Buffer[], number: number): Buffer {
  return contents[number % contents.length] ?? Buffer.alloc(0)
}

const boundary = 'between-the-parts'

function formOf(parts: readonly Part[], contents: readonly Buffer[], cut: boolean): Body {
  const pieces = parts.flatMap(({ name, filename, type, content }) => {
    const named = filename === undefined ? '' : `; filename="${filename}"`
    const head = `--${boundary}\r\nContent-Disposition: form-data; name="${name}"${named}\r\n`
    const typed = type === '' ? '' : `Content-Type: ${type}\r\n`
    return [Buffer.from(`${head}${typed}\r\n`), fileOf(contents, content), crlf]
  })
  const all = Buffer.concat([...pieces, Buffer.from(`--${boundary}--\r\n`)])
  const bytes = cut ? all.subarray(0, Math.floor(all.length * 0.7)) : all
  return { type: `multipart/form-data; boundary=${boundary}`, bytes }
}

const crlf = Buffer.from('\r\n')

/** Such a request as a command, for whoever wants to see what it does. */
export function curlOf({ method, path, caller, headers, body, chunked }: FuzzRequest): string {
  const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`
  const fields = Object.entries(headers).map(([name, value]) => `-H ${quote(`${name}: ${value}`)}`)
  if (caller !== 'nobody') fields.push(`-H "Authorization: Bearer $(token of ${caller})"`)
  if (chunked) fields.push(`-H 'Transfer-Encoding: chunked'`)
  const how = method === 'HEAD' ? '-I' : `-X ${method}`
  const command = ['curl', '-i', '--path-as-is', how, ...fields]
  const target = `"$URL"${quote(path)}`
  if (!body) return [...command, target].join(' ')
  const text = body.toString()
  const isText = body.length < 2_000 && Buffer.from(text).equals(body) && !text.includes('\0')
  const data = isText
    ? `--data-binary ${quote(text)}`
    : `--data-binary @<(base64 -d <<<${body.subarray(0, 1_500).toString('base64')})`
  const rest = !isText && body.length > 1_500 ? ` # and ${body.length - 1_500} bytes more` : ''
  return [...command, data, target].join(' ') + rest
}
