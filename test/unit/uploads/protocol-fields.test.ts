import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { formatDigests, parseDigests, parseWanted } from '../../../src/uploads/digest-fields.ts'
import { readExtent } from '../../../src/uploads/ietf/create.ts'
import { readBoolean, readInteger } from '../../../src/uploads/ietf/fields.ts'
import { limitsOf } from '../../../src/uploads/ietf/limits.ts'
import { versionOf } from '../../../src/uploads/ietf/versions.ts'
import { parseChecksum, readChecksum } from '../../../src/uploads/tus/checksum.ts'
import { parseMetadata } from '../../../src/uploads/tus/metadata.ts'
import { uploadRequest } from '../../support/upload-request.ts'

const bytes = Buffer.from('hello world')
const digest = (algorithm: string) => createHash(algorithm).update(bytes).digest()
const base64 = (text: string) => Buffer.from(text).toString('base64')
const badHeader = expect.objectContaining({ code: 'bad-header', status: 400 })

async function passed(request: ReturnType<typeof uploadRequest>, content = bytes) {
  const verification = readChecksum(request)
  if (!verification) throw new Error('nothing is verified')
  for await (const _ of verification.watch(
    (async function* () {
      yield content
    })(),
  ));
  return verification
}

describe('Upload-Metadata', () => {
  it('is pairs of a key and a value in Base64, which may be missing', () => {
    const text = `filename ${base64('Übung.jpg')},is_confidential,empty ,type ${base64('a')}`
    expect(parseMetadata(text)).toEqual({
      filename: 'Übung.jpg',
      is_confidential: null,
      empty: null,
      type: 'a',
    })
  })

  it('may use names that objects have', () => {
    const parsed = parseMetadata(`__proto__ ${base64('x')},constructor ${base64('y')}`)
    expect(Object.keys(parsed)).toEqual(['__proto__', 'constructor'])
  })

  it.each([
    ',',
    'a,',
    ',a',
    'a YQ==, YQ==',
    'a b c',
    'a YQ=',
    'a !!!!',
    'a,a',
    'ä YQ==',
    'a YQ==,a YQ==',
  ])('cannot be "%s"', (text) => {
    expect(() => parseMetadata(text)).toThrow(badHeader)
  })
})

describe('Upload-Checksum', () => {
  it.each(['sha1', 'sha256', 'sha512', 'md5'])('can be a %s', async (algorithm) => {
    const field = `${algorithm} ${digest(algorithm).toString('base64')}`
    const right = await passed(uploadRequest({ 'upload-checksum': field }))
    expect(() => right.verify()).not.toThrow()
    const wrong = await passed(uploadRequest({ 'upload-checksum': field }), Buffer.from('other'))
    expect(() => wrong.verify()).toThrow(expect.objectContaining({ status: 460 }))
    expect(wrong.refused).toBe(true)
  })

  it('can be a CRC-32, the most significant byte first', () => {
    const expected = Buffer.alloc(4)
    expected.writeUInt32BE(crc32(bytes))
    const { algorithm, digest: read } = parseChecksum(`crc32 ${expected.toString('base64')}`)
    expect([algorithm, read]).toEqual(['crc32', expected])
  })

  it('of an unknown algorithm is refused before anything is read', () => {
    const request = uploadRequest({ 'upload-checksum': 'sha3 AAAA' })
    expect(() => readChecksum(request)).toThrow(
      expect.objectContaining({ code: 'unsupported-checksum', status: 400 }),
    )
  })

  it.each(['', 'sha1', 'sha1 ', 'sha1  AAAA', 'sha1 AAAA', 'sha1 ????', 'sha1 AAAA AAAA', ' '])(
    'cannot be "%s"',
    (field) => {
      expect(() => readChecksum(uploadRequest({ 'upload-checksum': field }))).toThrow(badHeader)
    },
  )

  it('may come as a trailer that was announced', async () => {
    const chunked = { 'transfer-encoding': 'chunked', trailer: 'x, Upload-Checksum' }
    const trailers = { 'upload-checksum': `sha1 ${digest('sha1').toString('base64')}` }
    const right = await passed(uploadRequest(chunked, { trailers }))
    expect(() => right.verify()).not.toThrow()
    const missing = await passed(uploadRequest(chunked))
    expect(() => missing.verify()).toThrow(badHeader)
    expect(readChecksum(uploadRequest({ trailer: 'Upload-Checksum' }))).toBeUndefined()
  })
})

describe('fields of the IETF protocol', () => {
  it.each([
    ['0', 0],
    ['12;a=b', 12],
    [' 7', 7],
    ['999999999999999', 999_999_999_999_999],
    ['-1', undefined],
    ['1.0', undefined],
    ['1e3', undefined],
    ['1, 1', undefined],
    ['?1', undefined],
    ['', undefined],
    ['1000000000000000', undefined],
  ])('an Integer of "%s" is %s', (text, value) => {
    expect(readInteger(uploadRequest({ 'upload-offset': text }), 'Upload-Offset')).toBe(value)
  })

  it.each([
    ['?0', false],
    ['?1', true],
    ['?1;a', true],
    ['1', undefined],
    ['true', undefined],
    ['', undefined],
  ])('a Boolean of "%s" is %s', (text, value) => {
    expect(readBoolean(uploadRequest({ 'upload-complete': text }), 'Upload-Complete')).toBe(value)
  })

  it('tell how far the content goes', () => {
    const extent = (headers: Record<string, string>, from = 10) =>
      readExtent(uploadRequest(headers), versionOf(9), from)
    const complete = { 'upload-complete': '?1' }
    expect(extent({ ...complete, 'content-length': '5' })).toMatchObject({ length: 15 })
    expect(extent(complete)).toMatchObject({ length: 10, ending: 'last-byte' })
    expect(extent({ ...complete, 'transfer-encoding': 'chunked' })).toEqual({
      isComplete: true,
      length: undefined,
      ending: 'end-of-request',
    })
    const open = { 'upload-complete': '?0', 'content-length': '5', 'upload-length': '20' }
    expect(extent(open)).toMatchObject({ length: 20, ending: 'later' })
    const conflict = { ...complete, 'content-length': '5', 'upload-length': '16' }
    expect(() => extent(conflict)).toThrow(expect.objectContaining({ code: 'inconsistent-length' }))
    expect(() => extent({ 'content-length': '5' })).toThrow(badHeader)
  })

  it('have the limits that the version knows, under its names', () => {
    const at = Date.now() + 60_500
    expect(limitsOf(versionOf(5), 100, at)).toEqual({})
    expect(limitsOf(versionOf(6), 100, at)['Upload-Limit']).toBe('max-size=100, expires=60')
    expect(limitsOf(versionOf(9), 100, at)['Upload-Limit']).toBe('max-size=100, max-age=60')
    expect(limitsOf(versionOf(10), 2 ** 60, undefined)['Upload-Limit']).toBe(
      'max-size=999999999999999',
    )
  })

  it.each([undefined, 0, 2, 11, 99])(
    'of version %s get the newest rules, and no 104',
    (interop) => {
      expect(versionOf(interop)).toEqual({ ...versionOf(10), interop: undefined })
    },
  )
})

describe('digest fields', () => {
  const field = `sha-256=:${digest('sha256').toString('base64')}:, unknown=:AAAA:`

  it('are read by the algorithms that are known', () => {
    expect(parseDigests('Repr-Digest', field)).toEqual(new Map([['sha256', digest('sha256')]]))
    expect(parseDigests('Repr-Digest', 'unixsum=:AAA=:')).toEqual(new Map())
  })

  it('are written as they are read', () => {
    const digests = new Map([
      ['sha256', digest('sha256')],
      ['sha1', digest('sha1')],
    ] as const)
    expect(parseDigests('Repr-Digest', formatDigests(digests))).toEqual(digests)
  })

  it.each([
    'nonsense',
    'sha-256=:AAAA:',
    'sha-256=1',
    'sha-256',
    'sha-256=abc',
    '"',
    'sha-256=(:AAAA:)',
  ])('cannot be "%s"', (text) => {
    expect(() => parseDigests('Content-Digest', text)).toThrow(badHeader)
  })

  it.each([
    ['sha-256=1, sha-512=3', 'sha512'],
    ['sha-512=0, sha-256=10', 'sha256'],
    ['md5=10', undefined],
    ['sha-256=0', undefined],
  ])('%s wants %s', (text, algorithm) => {
    expect(parseWanted(text)).toBe(algorithm)
  })
})
