import { describe, expect, it } from 'vitest'
import { readSettings } from '../../../src/settings.ts'
import { storageSettings } from '../../../src/storage/settings.ts'

describe('the settings of storage', () => {
  it('mean the disk when none is set', () => {
    expect(readSettings(storageSettings, {})).toEqual({
      bucket: undefined,
      endpoint: undefined,
      region: 'us-east-1',
      forcePathStyle: undefined,
      prefix: undefined,
    })
  })

  it('are read', () => {
    const env = {
      S3_BUCKET: 'photos.example',
      S3_ENDPOINT: 'http://127.0.0.1:9000/',
      S3_REGION: 'eu-central-1',
      S3_FORCE_PATH_STYLE: 'false',
      S3_PREFIX: '/a/b',
    }
    expect(readSettings(storageSettings, env)).toEqual({
      bucket: 'photos.example',
      endpoint: 'http://127.0.0.1:9000',
      region: 'eu-central-1',
      forcePathStyle: false,
      prefix: 'a/b/',
    })
  })

  it.each([
    ['a', 'a/'],
    ['a/', 'a/'],
    ['//a/b//', 'a/b/'],
    ['/', ''],
  ])('make the prefix %s into "%s"', (raw, prefix) => {
    expect(readSettings(storageSettings, { S3_PREFIX: raw }).prefix).toBe(prefix)
  })

  it.each([
    ['S3_BUCKET', 'no/slash'],
    ['S3_ENDPOINT', '127.0.0.1:9000'],
    ['S3_REGION', 'eu central'],
    ['S3_FORCE_PATH_STYLE', 'maybe'],
    ['S3_PREFIX', 'a\nb'],
  ])('refuse %s=%j by name', (name, value) => {
    expect(() => readSettings(storageSettings, { [name]: value })).toThrow(`${name}=`)
  })
})
