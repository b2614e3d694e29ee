/** What is written in one of our forms is read as it was meant. */
import { createHash, randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { readCursor, toPage } from '../../src/http/cursor.ts'
import { formatDigests, parseDigests } from '../../src/uploads/digest-fields.ts'
import { formatBoolean, readBoolean, readInteger } from '../../src/uploads/ietf/fields.ts'
import { algorithms, createHasher, digestSizes } from '../../src/uploads/requests/hashes.ts'
import { parseChecksum } from '../../src/uploads/tus/checksum.ts'
import { parseMetadata } from '../../src/uploads/tus/metadata.ts'
import { requestWith } from './support/requests.ts'
import { runs } from './support/runs.ts'

const base64 = (value: string | Uint8Array) => Buffer.from(value).toString('base64')

it('reads the metadata that a client wrote', () => {
  const key = fc.oneof(
    fc.constantFrom('filename', '__proto__', 'constructor', '0', 'toString'),
    fc.stringMatching(/^[\x21-\x2b\x2d-\x7e]{1,8}$/),
  )
  const value = fc.option(fc.string({ unit: 'binary', minLength: 1 }))
  const pairs = fc.uniqueArray(fc.tuple(key, value), { selector: ([key]) => key, minLength: 1 })
  fc.assert(
    fc.property(pairs, fc.constantFrom('', ' '), (pairs, end) => {
      const write = ([key, value]: [string, string | null]) =>
        value === null ? key + end : `${key} ${base64(value)}`
      const read = Object.entries(parseMetadata(pairs.map(write).join(',')))
      expect(new Map(read)).toEqual(new Map(pairs))
    }),
    runs(300),
  )
})

it('reads the digests that it wrote', () => {
  const algorithm = fc.constantFrom('sha512', 'sha256', 'sha1', 'md5')
  fc.assert(
    fc.property(fc.uniqueArray(algorithm), (chosen) => {
      const digests = new Map(chosen.map((each) => [each, randomBytes(digestSizes[each])]))
      expect(parseDigests('Repr-Digest', formatDigests(digests))).toEqual(digests)
    }),
    runs(500),
  )
})

it('reads the checksum that a client took', () => {
  fc.assert(
    fc.property(fc.constantFrom(...algorithms), fc.infiniteStream(fc.nat(255)), (name, bytes) => {
      const digest = Buffer.from([...bytes.take(digestSizes[name])])
      expect(parseChecksum(`${name} ${base64(digest)}`)).toEqual({ algorithm: name, digest })
    }),
    runs(1_000),
  )
})

it('takes no digest of another size for one', () => {
  fc.assert(
    fc.property(fc.constantFrom(...algorithms), fc.uint8Array({ maxLength: 70 }), (name, bytes) => {
      fc.pre(bytes.length !== digestSizes[name])
      expect(() => parseChecksum(`${name} ${base64(bytes)}`)).toThrow('Upload-Checksum')
    }),
    runs(1_000),
  )
})

it('takes the same digest of the same bytes, in whatever pieces they come', () => {
  const pieces = fc.array(fc.uint8Array({ maxLength: 50 }).map((bytes) => Buffer.from(bytes)))
  fc.assert(
    fc.property(fc.constantFrom(...algorithms), pieces, (name, pieces) => {
      const hash = createHasher(name)
      for (const piece of pieces) hash.update(piece)
      const all = Buffer.concat(pieces)
      const hex = name === 'crc32' ? crc32(all).toString(16).padStart(8, '0') : hexOf(name, all)
      expect(hash.digest().toString('hex')).toBe(hex)
    }),
    runs(1_000),
  )
})

const hexOf = (name: string, bytes: Buffer) => createHash(name).update(bytes).digest('hex')

it('reads the numbers and truth values of structured fields', () => {
  const blank = fc.constantFrom('', ' ', '  ')
  const parameters = fc.constantFrom('', ';a', '; a=1', ';a="x;y"')
  const around = fc.tuple(blank, parameters, blank)
  const length = fc.maxSafeNat().map((n) => n % 1_000_000_000_000_000)
  fc.assert(
    fc.property(length, fc.boolean(), around, (number, truth, [before, after, end]) => {
      const request = requestWith({
        'Upload-Offset': `${before}${number}${after}${end}`,
        'Upload-Complete': `${before}${formatBoolean(truth)}${after}${end}`,
      })
      expect(readInteger(request, 'Upload-Offset')).toBe(number)
      expect(readBoolean(request, 'Upload-Complete')).toBe(truth)
    }),
    runs(1_000),
  )
})

it('reads the cursor that it gave out', () => {
  fc.assert(
    fc.property(fc.uuid(), (id) => {
      const { nextCursor } = toPage([{ id }, { id: 'the next' }], 1, (item) => item)
      expect(readCursor(nextCursor ?? undefined)).toBe(id)
    }),
    runs(500),
  )
})
