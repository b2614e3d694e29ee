import { expect, it } from 'vitest'
import { formatPartTag, parsePartTag } from '../../../src/storage/s3/part-tag.ts'

it.each([
  { etag: '"0cc175b9c0f1b6a831c399e269772661"', crc32: '6Le+Qw==' },
  { etag: '"any-1"', crc32: undefined },
])('says again what was put in: $etag $crc32', (tag) => {
  expect(parsePartTag(formatPartTag(tag))).toEqual(tag)
})
