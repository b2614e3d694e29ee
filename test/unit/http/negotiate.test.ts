import { describe, expect, it } from 'vitest'
import { negotiate } from '../../../src/http/negotiate.ts'

const choose = (accept: string | undefined, formats: string) =>
  negotiate(
    accept,
    formats.split(' ').map((format) => ({ format, contentType: `image/${format}` })),
  )?.format

describe('the format of a rendition', () => {
  it.each([
    ['image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8', 'avif webp jpeg', 'avif'],
    ['image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8', 'webp avif jpeg', 'webp'],
    ['image/webp,*/*', 'avif webp jpeg', 'webp'],
    ['image/webp;q=0.2, image/avif;q=0.9', 'webp avif jpeg', 'avif'],
    ['image/avif;q=0.1, */*', 'avif webp jpeg', 'avif'],
    ['IMAGE/WebP', 'avif webp jpeg', 'webp'],
    ['image/webp; q="0.9", image/jpeg;q=0.5', 'jpeg webp', 'webp'],
    ['image/png;q=0, image/jpeg;q=0.001', 'webp png jpeg', 'jpeg'],
  ])(
    'is the one named with the highest weight, then the first of the preset: %s of %s',
    (accept, formats, chosen) => {
      expect(choose(accept, formats)).toBe(chosen)
    },
  )

  it.each([
    ['*/*', 'avif webp jpeg', 'jpeg'],
    ['image/*', 'avif webp png', 'png'],
    ['image/*,*/*;q=0.8', 'avif png jpeg', 'jpeg'],
    [undefined, 'avif webp jpeg', 'jpeg'],
    ['', 'avif webp', 'webp'],
    ['*/*', 'avif webp', 'webp'],
    ['image/png,image/svg+xml,image/*;q=0.8', 'avif webp', 'webp'],
    ['*/*', 'avif', 'avif'],
  ])(
    'is the one that most programs can show when none is named: %s of %s',
    (accept, formats, chosen) => {
      expect(choose(accept, formats)).toBe(chosen)
    },
  )

  it.each([
    ['image/jpeg;q=0, */*', 'avif webp jpeg', 'webp'],
    ['image/jpeg;q=0, image/webp;q=0, */*', 'avif webp jpeg', 'avif'],
  ])('is none that is excluded: %s of %s', (accept, formats, chosen) => {
    expect(choose(accept, formats)).toBe(chosen)
  })

  it.each([
    ['application/json', 'avif webp jpeg', 'jpeg'],
    ['image/avif;q=0, image/webp;q=0', 'avif webp', 'webp'],
    ['image/*;q=0', 'webp png', 'png'],
    [';;,=,q=x', 'webp avif', 'webp'],
  ])('is there also for a client that accepts none: %s of %s', (accept, formats, chosen) => {
    expect(choose(accept, formats)).toBe(chosen)
  })
})
