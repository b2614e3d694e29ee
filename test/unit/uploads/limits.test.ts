import { describe, expect, it } from 'vitest'
import { acceptsDeclared, acceptsFound, parseAccept } from '../../../src/uploads/limits/accept.ts'
import { rateFields } from '../../../src/uploads/limits/rate.ts'

describe('the types that are taken', () => {
  it.each([
    ['image/*', ['image/*']],
    ['image/*,video/mp4', ['image/*', 'video/mp4']],
    [' Image/* , VIDEO/mp4,image/*', ['image/*', 'video/mp4']],
    ['*/*', ['*/*']],
    ['image/svg+xml', ['image/svg+xml']],
  ])('are read from %j', (raw, types) => {
    expect(parseAccept(raw)).toEqual(types)
  })

  it.each([
    '',
    ',',
    'image',
    'image/',
    '/png',
    '*/png',
    '.jpg',
    'image/*,.jpg',
    'a/b;q=1',
    'a/b/c',
  ])('are not read from %j', (raw) => {
    expect(parseAccept(raw)).toBeUndefined()
  })

  it.each([
    [undefined, 'text/plain', true],
    [['*/*'], 'text/plain', true],
    [['image/*'], 'image/png', true],
    [['image/*'], 'video/mp4', false],
    [['image/*'], 'imagex/png', false],
    [['image/png'], 'image/jpeg', false],
    [['image/png', 'image/jpeg'], 'image/jpeg', true],
  ])('%j: %s goes on, or not: %s', (accept, type, goesOn) => {
    expect(acceptsDeclared(accept, type)).toBe(goesOn)
    expect(acceptsFound(accept, type)).toBe(goesOn)
  })

  it('are asked of the content where nothing is said of it', () => {
    for (const type of [undefined, 'application/octet-stream', 'application/partial-upload']) {
      expect(acceptsDeclared(['image/*'], type)).toBe(true)
    }
    expect(acceptsFound(['image/*'], undefined)).toBe(false)
    for (const accept of [undefined, ['*/*'], ['application/octet-stream'], ['application/*']]) {
      expect(acceptsFound(accept, undefined)).toBe(true)
    }
  })
})

it('the fields about the rate are structured fields', () => {
  expect(rateFields({ perMinute: 60, remaining: 12, resetAfter: 48 })).toEqual({
    'RateLimit-Policy': '"uploads";q=60;w=60',
    RateLimit: '"uploads";r=12;t=48',
  })
  expect(rateFields(undefined)).toEqual({})
})
