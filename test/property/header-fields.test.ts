/** No field of a request, whatever is in it, makes the server fail. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readCursor } from '../../src/http/cursor.ts'
import { parseDigests, parseWanted } from '../../src/uploads/digest-fields.ts'
import { readExtent } from '../../src/uploads/ietf/create.ts'
import { readContentDigest, readDigestWishes } from '../../src/uploads/ietf/digests.ts'
import { readBoolean, readInteger } from '../../src/uploads/ietf/fields.ts'
import { limitsOf } from '../../src/uploads/ietf/limits.ts'
import { versionOf } from '../../src/uploads/ietf/versions.ts'
import { contentTypeOf, filenameOf } from '../../src/uploads/metadata.ts'
import { Locations } from '../../src/uploads/protocol/location.ts'
import { parseChecksum, readChecksum } from '../../src/uploads/tus/checksum.ts'
import { parseMetadata, readMetadata } from '../../src/uploads/tus/metadata.ts'
import { readOrRefuse, requestWith } from './support/requests.ts'
import { runs } from './support/runs.ts'
import { text } from './support/texts.ts'

/** A parser of one text, by name. What it returns is of no matter here. */
const parsers: Readonly<Record<string, (given: string) => unknown>> = {
  'Upload-Metadata': parseMetadata,
  'Upload-Metadata of a request': (given) =>
    readMetadata(requestWith({ 'Upload-Metadata': given })),
  'Upload-Checksum': parseChecksum,
  'Upload-Checksum of a request': (given) =>
    readChecksum(requestWith({ 'Upload-Checksum': given })),
  Trailer: (given) => readChecksum(requestWith({ Trailer: given, 'Transfer-Encoding': 'chunked' })),
  'Content-Digest': (given) => readContentDigest(requestWith({ 'Content-Digest': given })),
  'Repr-Digest': (given) => parseDigests('Repr-Digest', given),
  'Want-Repr-Digest': parseWanted,
  'digests of a whole': (given) =>
    readDigestWishes(requestWith({ 'Repr-Digest': given, 'Want-Repr-Digest': given })),
  'Upload-Offset': (given) => readInteger(requestWith({ 'Upload-Offset': given }), 'Upload-Offset'),
  'Upload-Complete': (given) =>
    readBoolean(requestWith({ 'Upload-Complete': given }), 'Upload-Complete'),
  'Upload-Incomplete': (given) =>
    readExtent(requestWith({ 'Upload-Incomplete': given }), versionOf(3), 0),
  'Upload-Length with Upload-Complete: ?0': (given) =>
    readExtent(requestWith({ 'Upload-Complete': '?0', 'Upload-Length': given }), versionOf(9), 0),
  'Content-Length with Upload-Complete: ?1': (given) =>
    readExtent(requestWith({ 'Upload-Complete': '?1', 'Content-Length': given }), versionOf(9), 7),
  'the length of a request': (given) => requestWith({ 'Content-Length': given }).bytes(),
  'Upload-Length': (given) => requestWith({ 'Upload-Length': given }).wholeNumber('Upload-Length'),
  'Content-Type': (given) => requestWith({ 'Content-Type': given }).contentType,
  'a file name': (given) => filenameOf({ filename: given }),
  'a media type': (given) => contentTypeOf({ type: given }),
  'a cursor': readCursor,
}

const known = [3, 4, 5, 6, 7, 8, 9, 10]

describe('a field that says anything at all', () => {
  it.each(Object.keys(parsers))('is understood or refused: %s', (name) => {
    fc.assert(
      fc.property(text, (given) => void readOrRefuse(() => parsers[name]?.(given))),
      runs(3_000),
    )
  })

  it('gives an integer only where it is one, and nothing negative', () => {
    const read = (given: string) =>
      readInteger(requestWith({ 'Upload-Offset': given }), 'Upload-Offset')
    fc.assert(
      fc.property(text, (given) => {
        const value = read(given)
        expect(value === undefined || /^ *0*(\d{1,15})(;.*)?$/.exec(given.trim())?.[1]).toBeTruthy()
        if (value !== undefined) expect(value).toBe(Number.parseInt(given.trim(), 10))
      }),
      runs(3_000),
    )
  })

  it('gives a number of bytes only where there are digits and nothing else', () => {
    const read = (given: string) =>
      requestWith({ 'Upload-Length': given }).wholeNumber('Upload-Length')
    fc.assert(
      fc.property(text, (given) => {
        const value = readOrRefuse(() => read(given))
        if (value === undefined) return
        expect(given).toMatch(/^[0-9]+$/)
        expect(BigInt(given)).toBe(BigInt(value))
      }),
      runs(3_000),
    )
  })

  it('is a version that is known, or the newest rules without interim answers', () => {
    fc.assert(
      fc.property(fc.oneof(fc.integer(), fc.double(), fc.constantFrom(...known)), (given) => {
        const isKnown = known.includes(given)
        expect(versionOf(given).interop).toBe(isKnown ? given : undefined)
        expect(versionOf(given).contentType).toBe(
          isKnown && given < 6 ? undefined : 'application/partial-upload',
        )
      }),
      runs(1_000),
    )
  })

  it('makes a limit that is a dictionary of integers', () => {
    const natural = fc.oneof(fc.maxSafeNat(), fc.nat())
    fc.assert(
      fc.property(natural, fc.option(natural, { nil: undefined }), (maxSize, expiresAt) => {
        for (const version of [6, 9]) {
          const { 'Upload-Limit': limit } = limitsOf(versionOf(version), maxSize, expiresAt)
          expect(limit).toMatch(/^max-size=\d{1,15}(, (expires|max-age)=\d{1,15})?$/)
        }
      }),
      runs(1_000),
    )
  })
})

describe('the URL of an upload', () => {
  const options = fc.record({
    path: fc.constantFrom('/files'),
    publicUrl: fc.constantFrom(undefined, 'https://example.com', 'https://example.com/below'),
    trustProxy: fc.boolean(),
  })
  const headers = fc.record(
    { Host: text, 'X-Forwarded-Host': text, 'X-Forwarded-Proto': text },
    { requiredKeys: [] },
  )
  const id = fc.uuid()

  it('can be told whatever the request says of its host, and ends in the id', () => {
    fc.assert(
      fc.property(options, headers, id, (given, fields, id) => {
        const location = new Locations(given).of(requestWith(fields), id)
        expect(location).toMatch(/^(https?:\/\/[^/]+(\/below)?)?\/files\/[0-9a-f-]{36}$/)
        expect(location.endsWith(id)).toBe(true)
        expect(() => new Headers({ Location: location })).not.toThrow()
      }),
      runs(2_000),
    )
  })

  it('is told as the path alone by a server behind no proxy that has no name', () => {
    fc.assert(
      fc.property(headers, id, (fields, id) => {
        const locations = new Locations({ path: '/files', publicUrl: undefined, trustProxy: false })
        expect(locations.of(requestWith(fields), id)).toBe(`/files/${id}`)
      }),
      runs(1_000),
    )
  })

  it('is known again in the form in which it was told', () => {
    const host = fc.constantFrom('a.test', 'a.test:8080', '127.0.0.1:1', '[::1]:80', 'A.Test')
    const proto = fc.constantFrom('http', 'https', 'https, http')
    const said = fc.record(
      { Host: host, 'X-Forwarded-Host': host, 'X-Forwarded-Proto': proto },
      { requiredKeys: ['Host'] },
    )
    fc.assert(
      fc.property(options, said, id, (given, fields, id) => {
        const locations = new Locations(given)
        const request = requestWith(fields)
        expect(locations.idAt(request, locations.of(request, id))).toBe(id)
        expect(locations.idAt(request, `/files/${id}`)).toBe(id)
      }),
      runs(2_000),
    )
  })

  it('is never found where there is none', () => {
    fc.assert(
      fc.property(options, headers, text, (given, fields, url) => {
        const locations = new Locations(given)
        const found = locations.idAt(requestWith(fields), url)
        if (found !== undefined) expect(url.toLowerCase()).toContain(found)
        const isId = (id: string | undefined) => id === undefined || /^[0-9a-f-]{36}$/.test(id)
        expect(found).toSatisfy(isId)
        const request = requestWith(fields, { url: `/files/${url}` })
        expect(readOrRefuse(() => locations.idIn(request))).toSatisfy(isId)
        expect(() => locations.methodsAt(request)).not.toThrow()
      }),
      runs(3_000),
    )
  })
})
