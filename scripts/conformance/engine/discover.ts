/** What a server offers, as far as it can be asked: rows name what they need of it. */
import { bytesOf, readContent, type Seen } from './content.ts'
import { parseDictionary } from './dictionary.ts'
import type { Interop } from './row.ts'
import type { Server } from './server.ts'
import { exchange, type Headers, type Outcome } from './wire.ts'

export interface Access {
  readonly target: URL
  readonly headers: Headers
  readonly patienceMs: number
  readonly settleMs: number
  readonly contentTemplate: string | undefined
}

/** One server for each protocol: how they are asked differs. */
export interface Discovered {
  readonly tus: Server
  readonly ietf: Readonly<Record<Interop, Server>>
  /** Sentences about what was, and could not be, found out. */
  readonly notes: readonly string[]
}

const newestInterops = ['10', '9', '8', '7']
/** Bytes up to this much are sent to find out whether a maximum is kept. */
const smallMaximum = 32 * 1024 * 1024
const version = { 'Tus-Resumable': '1.0.0' }

type Found = Map<string, string>

/** @throws Error when nothing answers at the target. */
export async function discover(access: Access): Promise<Discovered> {
  const options = await ask(access, 'OPTIONS', access.target, {})
  if (options.kind !== 'answer') throw new Error(`no answer to OPTIONS ${access.target}`)
  const found: Found = new Map()
  readOptions(options.answer.headers, found)
  const ietf: Record<Interop, string | undefined> = {
    '5': await firstSpoken(access, ['5'], found),
    '6': await firstSpoken(access, ['6'], found),
    newest: await firstSpoken(access, newestInterops, found),
  }
  if (Object.values(ietf).some(Boolean)) found.set('ietf', '')
  const notes = [
    ...(ietf.newest ? [`the newest interop version that is answered is ${ietf.newest}`] : []),
    ...(await probeUpload(access, found)),
  ]
  const server = (removalHeaders: Headers, more: Iterable<[string, string]> = []): Server => {
    const variables = new Map([...found, ...more])
    return {
      ...access,
      removalHeaders,
      features: new Set(variables.keys()),
      variables: variables.set('target', access.target.href),
    }
  }
  const spoken = (interop: Interop) => {
    const number = ietf[interop] ?? '0'
    const removal = { 'Upload-Draft-Interop-Version': number }
    return server({ ...access.headers, ...removal }, [['interop', number]])
  }
  return {
    tus: server({ ...access.headers, ...version }),
    ietf: { '5': spoken('5'), '6': spoken('6'), newest: spoken('newest') },
    notes,
  }
}

function readOptions(headers: Headers, found: Found): void {
  if (members(headers['tus-version']).includes('1.0.0')) found.set('tus', '')
  for (const extension of members(headers['tus-extension'])) found.set(extension, '')
  for (const algorithm of members(headers['tus-checksum-algorithm'])) {
    found.set(`checksum:${algorithm}`, '')
  }
  const maximum = headers['tus-max-size'] ?? ''
  if (/^\d+$/.test(maximum)) setMaximum(found, 'max-size', BigInt(maximum))
  const limits = parseDictionary(headers['upload-limit'])
  if (limits) found.set('upload-limit', '')
  for (const [key, value] of limits ?? []) setMaximum(found, `limit:${key}`, BigInt(value))
}

function setMaximum(found: Found, name: string, value: bigint): void {
  found.set(name, String(value))
  found.set(`${name}+1`, String(value + 1n))
  if (name.endsWith('max-size') && value <= smallMaximum) found.set('small-maximum', '')
}

/** The first of these interop versions that begins an upload; a 104 is what tells it for sure. */
async function firstSpoken(access: Access, numbers: readonly string[], found: Found) {
  let silently: string | undefined
  for (const number of numbers) {
    const headers = { 'Upload-Complete': '?0', 'Upload-Draft-Interop-Version': number }
    const outcome = await ask(access, 'POST', access.target, headers)
    if (outcome.kind !== 'answer') continue
    const { answer, interim } = outcome
    const location = answer.headers.location
    if (answer.status > 299 || location === undefined) continue
    const url = new URL(location, access.target)
    await readLifetime(access, url, number, found)
    const removal = await ask(access, 'DELETE', url, { 'Upload-Draft-Interop-Version': number })
    if (removal.kind === 'answer' && removal.answer.status !== 405)
      found.set('ietf:cancellation', '')
    if (interim.some(({ status }) => status === 104)) {
      found.set('ietf:resumption', '')
      found.set(`ietf:${numbers.length > 1 ? 'newest' : number}`, number)
      return number
    }
    silently ??= answer.headers['upload-complete'] === undefined ? undefined : number
  }
  if (silently) found.set(`ietf:${numbers.length > 1 ? 'newest' : silently}`, silently)
  return silently
}

async function readLifetime(access: Access, url: URL, number: string, found: Found) {
  const outcome = await ask(access, 'HEAD', url, { 'Upload-Draft-Interop-Version': number })
  if (outcome.kind !== 'answer') return
  const limits = parseDictionary(outcome.answer.headers['upload-limit'])
  if (limits?.has('max-age') || limits?.has('expires')) found.set('limit:max-age', '')
}

/** Makes an upload to see how long it lives, and whether its content can be read. */
async function probeUpload(access: Access, found: Found): Promise<string[]> {
  const headers = { ...version, 'Upload-Length': '5' }
  const created = await ask(access, 'POST', access.target, headers)
  const location = created.kind === 'answer' ? created.answer.headers.location : undefined
  if (created.kind !== 'answer' || location === undefined) {
    return ['no upload could be made by tus: effects on content are not checked']
  }
  const expires = Date.parse(created.answer.headers['upload-expires'] ?? '')
  if (expires - Date.now() < access.settleMs) found.set('short-lived', '')
  const url = new URL(location, access.target)
  const bytes = Buffer.from('hello')
  const type = { 'Content-Type': 'application/offset+octet-stream', 'Upload-Offset': '0' }
  await ask(access, 'PATCH', url, { ...version, ...type }, bytes)
  const isWhatWasSent = (seen: Seen) => bytesOf(seen)?.equals(bytes) ?? false
  const content = await readContent(access, url, isWhatWasSent)
  await ask(access, 'DELETE', url, version)
  if (isWhatWasSent(content)) found.set('content', '')
  return found.has('content')
    ? []
    : ['the content of uploads could not be read (see --content): effects on it are not checked']
}

function ask(
  access: Access,
  method: string,
  url: URL,
  headers: Headers,
  body?: Buffer,
): Promise<Outcome> {
  const all = { ...access.headers, ...headers }
  return exchange({ method, url, headers: all, body }, access.patienceMs)
}

function members(list: string | undefined): string[] {
  return (list ?? '')
    .split(',')
    .map((member) => member.trim())
    .filter(Boolean)
}
