/** Values of header fields: any at all, and such as almost mean something. */
import fc from 'fast-check'
import { newId } from '../../../src/ids.ts'
import { algorithms } from '../../../src/uploads/requests/hashes.ts'

/** Any string of UTF-16, also one that is no text. */
export const anyString: fc.Arbitrary<string> = fc
  .array(fc.oneof(fc.nat(0x7f), fc.nat(0xff), fc.nat(0xffff)))
  .map((units) => String.fromCharCode(...units))

const visible = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0x21, max: 0x7e }) },
  { weight: 2, arbitrary: fc.constantFrom(0x20, 0x09) },
  { weight: 2, arbitrary: fc.integer({ min: 0x80, max: 0xff }) },
)

/** Any field content (RFC 9110, 5.5), one character for each octet. */
const anyField: fc.Arbitrary<string> = fc
  .array(visible, { maxLength: 60 })
  .map((units) => String.fromCharCode(...units))

const base64 = fc
  .uint8Array({ maxLength: 66 })
  .map((bytes) => Buffer.from(bytes).toString('base64'))

/** Small and large numbers, and what looks like one. */
const numeral = fc.oneof(
  fc.nat(20).map(String),
  fc.maxSafeNat().map(String),
  fc.bigInt({ min: 0n, max: 2n ** 70n }).map(String),
  fc.constantFrom('-0', '-1', '+5', '5.0', '1e3', '0x10', '007', '999999999999999', '', '1_0', '٣'),
)

const words = fc.oneof(
  fc.constantFrom(
    ...algorithms,
    ...['sha-256', 'sha-512', 'sha', 'md5', 'crc32c', 'unixsum'],
    ...['partial', 'final', 'final;', 'bytes', 'attachment', 'form-data', 'inline', 'chunked'],
    ...[
      'filename',
      'filename*',
      "UTF-8''",
      "utf-8'en'%e2%82",
      'name',
      'type',
      'filetype',
      '__proto__',
    ],
    ...['application/offset+octet-stream', 'application/partial-upload', 'image/png', '1.0.0'],
    ...[
      '/files',
      '/files/',
      './',
      '../',
      'http://',
      'https://',
      'test',
      '127.0.0.1',
      '[::1]',
      ':80',
    ],
    ...['max-size', 'Upload-Checksum', '%41', '%00', '%ff', '?1', '?0', ':YQ==:', '"a"'],
  ),
  fc.constant('').map(newId),
)
const sign = fc.constantFrom(...' \t,;:=?"\\()@%*/-._~<>#+&\'')

/** Pieces of valid values, put together at random. */
const almost = fc
  .array(fc.oneof(words, sign, sign, numeral, base64, anyField), { maxLength: 8 })
  .map((pieces) => pieces.join(''))

const digestName = fc.constantFrom(
  'sha-256',
  'sha-512',
  'sha',
  'md5',
  'unixsum',
  'a',
  ...algorithms,
)
const item = fc.oneof(
  numeral,
  base64.map((bytes) => `:${bytes}:`),
  fc.constantFrom('?1', '"a"', 'token', '(1 2)', '()', '@1', '%"a"', ''),
)
/** Members with names that are known, of any type. */
const dictionary = fc
  .array(fc.tuple(digestName, fc.constantFrom('=', '=', ' ', ';'), item), {
    minLength: 1,
    maxLength: 3,
  })
  .map((members) => members.map((member) => member.join('')).join(', '))

/** Fit to be sent: field content in Latin-1. */
export const fieldValue: fc.Arbitrary<string> = fc
  .oneof(anyField, numeral, almost, dictionary)
  .map((text) => text.replace(/[^\t\x20-\x7e\x80-\xff]/g, ''))

/** What a parser may be given, also by code that is no HTTP server. */
export const text: fc.Arbitrary<string> = fc.oneof(anyString, anyField, numeral, almost, dictionary)
