import { describe, expect, it } from 'vitest'
import { headSize, requireConvertible, sniff } from '../../../src/conversion/sniff.ts'
import * as images from '../../fixtures/images.ts'

const ftyp = (...brands: string[]) =>
  Buffer.concat([
    Buffer.from([0, 0, 0, 12 + 4 * brands.length]),
    Buffer.from(`ftyp${brands[0]}\0\0\0\0${brands.slice(1).join('')}....meta`, 'latin1'),
  ])

describe('what a file is', () => {
  it.each([
    ['image/jpeg', images.jpeg],
    ['image/png', images.png],
    ['image/webp', images.webp],
    ['image/gif', images.gif],
    ['image/avif', images.avif],
    ['image/tiff', images.tiff],
  ])('is told for %s from the first bytes', async (contentType, make) => {
    const head = (await make({ width: 600, height: 400 })).subarray(0, headSize)
    expect(await sniff(head)).toEqual({ contentType, image: 'convertible' })
  })

  it('is AVIF when only the compatible brands say so', async () => {
    const { contentType } = await sniff(ftyp('mif1', 'miaf', 'avif'))
    expect(contentType).toBe('image/avif')
  })

  it('is TIFF even when its directory is beyond the first bytes', async () => {
    expect((await sniff(Buffer.from('49492a00ffffff0000', 'hex'))).contentType).toBe('image/tiff')
  })

  it.each([
    ['image/heic', ftyp('heic', 'mif1', 'heic')],
    ['image/heif', ftyp('mif1', 'heic')],
    ['image/svg+xml', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>')],
    [
      'image/svg+xml',
      Buffer.from(
        '\uFEFF<?xml version="1.0"?>\n<!-- a -->\n<!DOCTYPE svg [<!ENTITY a "b">]>\n<svg>',
      ),
    ],
  ])('is an image to convert for %s', async (contentType, head) => {
    expect(await sniff(head)).toEqual({ contentType, image: 'convertible' })
  })

  it.each([
    ['image/jxl', Buffer.from([0xff, 0x0a, 0, 0])],
    ['image/bmp', Buffer.from('BM0123456789')],
  ])('is an unsupported image for %s', async (contentType, head) => {
    expect(await sniff(head)).toEqual({ contentType, image: 'unsupported' })
  })

  it.each([
    ['a video', ftyp('isom', 'mp42'), 'video/mp4'],
    ['text', Buffer.from('Milk, eggs, bread.'), undefined],
    ['a web page with a drawing', Buffer.from('<!doctype html><p><svg></svg>'), undefined],
    ['a single byte', Buffer.from([0xff]), undefined],
    ['nothing', Buffer.alloc(0), undefined],
    ['a declaration without an end', Buffer.from('<!DOCTYPE'.padEnd(headSize)), undefined],
  ])('is no image for %s', async (_name, head, contentType) => {
    expect(await sniff(head)).toEqual({ contentType, image: 'no' })
  })
})

describe('a refusal', () => {
  it('names the format that is not converted', async () => {
    await expect(requireConvertible(Buffer.from([0xff, 0x0a, 0, 0]))).rejects.toMatchObject({
      code: 'unsupported-format',
      status: 422,
      message:
        'JPEG XL images cannot be converted; JPEG, PNG, WebP, GIF, AVIF, TIFF, SVG and HEIC can.',
    })
  })

  it('says what the file looks like instead of an image', async () => {
    await expect(requireConvertible(ftyp('isom', 'mp42'))).rejects.toMatchObject({
      code: 'not-an-image',
      message: 'The file is not an image; it looks like video/mp4.',
    })
  })

  it('says that a file is empty', async () => {
    await expect(requireConvertible(Buffer.alloc(0))).rejects.toMatchObject({
      code: 'not-an-image',
      message: 'The file is empty.',
    })
  })
})
