import { describe, expect, it } from 'vitest'
import { contentTypeOf, filenameOf } from '../../../src/uploads/metadata.ts'

describe('upload metadata', () => {
  it.each([
    ['tus-js-client', { filename: 'a.jpg', filetype: 'image/jpeg' }],
    ['Uppy', { name: 'a.jpg', type: 'image/jpeg' }],
    ['others', { name: 'a.jpg', contentType: 'IMAGE/JPEG' }],
  ])('finds name and type as %s sends them', (_, metadata) => {
    expect(filenameOf(metadata)).toBe('a.jpg')
    expect(contentTypeOf(metadata)).toBe('image/jpeg')
  })

  it('keeps no control characters and no endless names', () => {
    expect(filenameOf({ filename: 'a\r\nSet-Cookie: x\u0000.jpg' })).toBe('aSet-Cookie: x.jpg')
    expect(filenameOf({ filename: 'é'.repeat(5_000) })?.length).toBe(1_024)
    expect(filenameOf({ filename: ' ' })).toBeUndefined()
    expect(filenameOf({ filename: null })).toBeUndefined()
  })

  it('takes nothing for a media type that is not one', () => {
    for (const filetype of ['image', 'text/html; x', 'a/b/c', 'text/html\r\nX: y/z', '']) {
      expect(contentTypeOf({ filetype })).toBeUndefined()
    }
  })
})
