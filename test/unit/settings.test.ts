import { describe, expect, expectTypeOf, it } from 'vitest'
import {
  parseBoolean,
  parseDuration,
  parseHttpUrl,
  parseInteger,
  parseOneOf,
  parseSize,
  readSettings,
  type Setting,
  SettingError,
} from '../../src/settings.ts'

function accepts<T>(parse: (raw: string) => T | undefined, table: [string, T][]): void {
  it.each(table)('reads %j as %j', (raw, value) => {
    expect(parse(raw)).toBe(value)
  })
}

function refuses(parse: (raw: string) => unknown, raws: string[]): void {
  it.each(raws)('refuses %j', (raw) => {
    expect(parse(raw)).toBeUndefined()
  })
}

describe('an integer', () => {
  accepts(parseInteger(1, 65_535), [
    ['1', 1],
    ['65535', 65_535],
    ['0080', 80],
  ])
  refuses(parseInteger(1, 65_535), ['0', '65536', '-1', '+1', '1.5', '1e3', '0x10', 'ten', ' 1'])
  refuses(parseInteger(0), ['9007199254740992', '99999999999999999'])
})

describe('a size', () => {
  accepts(parseSize, [
    ['0', 0],
    ['1048576', 1_048_576],
    ['5B', 5],
    ['4KiB', 4_096],
    ['64MiB', 67_108_864],
    ['2 GiB', 2_147_483_648],
    ['1TiB', 1_099_511_627_776],
  ])
  refuses(parseSize, ['', 'MiB', '64MB', '64mib', '-1', '1.5MiB', '1MiB2', '9007199254740992'])
  refuses(parseSize, ['8192TiB'])
})

describe('a duration', () => {
  accepts(parseDuration, [
    ['0s', 0],
    ['90s', 90_000],
    ['15m', 900_000],
    ['24h', 86_400_000],
    ['7d', 604_800_000],
  ])
  refuses(parseDuration, ['', '90', '90 s', '1.5h', '-1s', '1w', '1h30m', '100ms', 's'])
})

describe('one of a few words', () => {
  accepts(parseOneOf('web', 'worker'), [['worker', 'worker']])
  refuses(parseOneOf('web', 'worker'), ['Web', 'webworker', ''])

  it('has the words as its type', () => {
    const parse = parseOneOf('web', 'worker')
    expectTypeOf(parse).returns.toEqualTypeOf<'web' | 'worker' | undefined>()
  })
})

describe('a boolean', () => {
  accepts(parseBoolean, [
    ['true', true],
    ['1', true],
    ['YES', true],
    ['on', true],
    ['False', false],
    ['0', false],
    ['no', false],
    ['off', false],
  ])
  refuses(parseBoolean, ['', '2', 'y', 'truee'])
})

describe('an HTTP URL', () => {
  accepts(parseHttpUrl, [
    ['http://localhost:9000', 'http://localhost:9000'],
    ['https://example.org/files/', 'https://example.org/files'],
    ['https://example.org//', 'https://example.org'],
  ])
  refuses(parseHttpUrl, ['', 'example.org', '/files', 'ftp://example.org', 'javascript:alert(1)'])
})

describe('reading settings', () => {
  const settings = {
    port: {
      name: 'PORT',
      default: '8080',
      expected: 'a port from 0 to 65535',
      description: 'Where it listens.',
      parse: parseInteger(0, 65_535),
    } satisfies Setting<number>,
    url: {
      name: 'PUBLIC_URL',
      expected: 'an http or https URL',
      description: 'Where it is seen.',
      parse: parseHttpUrl,
    } satisfies Setting<string>,
  }

  it('takes values from the environment', () => {
    const env = { PORT: ' 80 ', PUBLIC_URL: 'https://example.org' }
    expect(readSettings(settings, env)).toEqual({ port: 80, url: 'https://example.org' })
  })

  it.each([{}, { PORT: '', PUBLIC_URL: '' }, { PORT: '  ', PUBLIC_URL: undefined }])(
    'takes the default, or nothing, for what is unset or empty: %j',
    (env) => {
      expect(readSettings(settings, env)).toEqual({ port: 8080, url: undefined })
    },
  )

  it('knows that a setting with a default has a value', () => {
    const values = readSettings(settings, {})
    expectTypeOf(values.port).toEqualTypeOf<number>()
    expectTypeOf(values.url).toEqualTypeOf<string | undefined>()
  })

  it('names the setting, the value and what was expected when a value is bad', () => {
    const read = () => readSettings(settings, { PORT: 'http' })
    expect(read).toThrow(SettingError)
    expect(read).toThrow('PORT=http: expected a port from 0 to 65535')
  })

  it('shows no password in a bad value', () => {
    const read = () => readSettings(settings, { PUBLIC_URL: 'mysql://me:secret@db/landfall' })
    expect(read).toThrow('PUBLIC_URL=mysql://***@db/landfall: expected an http or https URL')
  })
})
