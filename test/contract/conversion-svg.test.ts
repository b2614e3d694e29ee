import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as images from '../fixtures/images.ts'
import { svg } from '../fixtures/svg.ts'
import { type Converting, createConverting } from '../support/converting.ts'
import { testPreset } from '../support/presets.ts'

const presets = [testPreset({ width: 120, height: 120, formats: ['png'] })]
const red = '<rect width="100%" height="100%" fill="#ff0000"/>'

let converting: Converting

beforeAll(async () => {
  converting = await createConverting()
})

afterAll(() => converting[Symbol.asyncDispose]())

const portOf = (address: string | AddressInfo | null) =>
  address !== null && typeof address === 'object' ? address.port : 0

const middleOf = async (path = '') => {
  const { data, info } = await sharp(path).ensureAlpha().raw().toBuffer({ resolveWithObject: true })
  const at = (Math.floor(info.height / 2) * info.width + Math.floor(info.width / 2)) * 4
  return [...data.subarray(at, at + 4)]
}

describe('a drawing', () => {
  it.each([
    ['with a size', 'width="300" height="200"', [300, 200]],
    ['of which only the view box is known', 'viewBox="0 0 300 200"', [300, 200]],
    ['in percent', 'width="100%" height="100%" viewBox="0 0 300 200"', [300, 200]],
    ['in millimetres', 'width="25.4mm" height="50.8mm" viewBox="0 0 1 2"', [96, 192]],
    ['smaller than the box', 'width="12" height="8"', [12, 8]],
  ])('%s is drawn', async (_name, attributes, [width = 0, height = 0]) => {
    const result = await converting.convert(svg(red, attributes), presets)
    expect(result).toMatchObject({ format: 'svg', color: '#ff0000' })
    expect(Math.abs(result.width / result.height / (width / height) - 1)).toBeLessThan(0.02)
    expect(await middleOf(result.renditions[0]?.path)).toEqual([255, 0, 0, 255])
  })

  it('is drawn at the size that is needed, so that edges are sharp', async () => {
    // Cells of one pixel in the rendition: drawn larger and shrunk, or the reverse, they would blur.
    const cells = Array.from(
      { length: 60 },
      (_, at) => `<rect x="${at * 20}" width="10" height="1200"/>`,
    )
    const drawing = svg(cells.join(''), 'width="1200" height="1200"')
    const { renditions } = await converting.convert(drawing, presets)
    const { data } = await sharp(renditions[0]?.path)
      .ensureAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true })
    const row = Array.from({ length: 120 }, (_, x) => data[(60 * 120 + x) * 4 + 3])
    expect(new Set(row)).toEqual(new Set([0, 255]))
  })

  it('that shows a picture of its own is drawn with it', async () => {
    const data = (await images.png()).toString('base64')
    const image = `<image href="data:image/png;base64,${data}" width="300" height="200"/>`
    const { color } = await converting.convert(svg(image), presets)
    expect(images.quarters).toContain(color)
  })

  it.each([
    ['without a size of a pixel', svg(red, 'width="0" height="0"'), 'corrupt-image', /damaged/],
    ['of negative size', svg(red, 'width="-5" height="10"'), 'corrupt-image', /damaged/],
    ['that breaks off', svg(red).slice(0, -12), 'corrupt-image', /./],
    [
      'of 1,000,000,000 pixels a side',
      svg(red, 'width="1e9" height="1e9"'),
      'image-too-large',
      /1,000,000,000; at most/,
    ],
    [
      'of 5,000,000,000 pixels a side',
      svg(red, 'width="5e9" height="5e9"'),
      'image-too-large',
      /5,000,000,000; at most/,
    ],
    [
      'of 1,000,000,000 units a side and no other size',
      `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0,0 1e9 1e9">${red}</svg>`,
      'image-too-large',
      /1,000,000,000; at most/,
    ],
    [
      'of 200,000 pixels a side',
      svg(red, 'width="200000" height="200000"'),
      'image-too-large',
      /200,000 × 200,000/,
    ],
    [
      'of more than 10 MB',
      svg(`${red}<!--${'x'.repeat(10_000_000)}-->`),
      'image-too-large',
      /11 MB; at most 10 MB/,
    ],
  ])('%s is refused', async (_name, drawing, code, message) => {
    await expect(converting.convert(drawing, presets)).rejects.toMatchObject({
      code,
      status: 422,
      message: expect.stringMatching(message),
    })
  })
})

describe('what lies outside of a drawing', () => {
  let requests = 0
  const server = createServer((_request, response) => {
    requests += 1
    response.end('<svg xmlns="http://www.w3.org/2000/svg"/>')
  })
  let origin: string

  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    origin = `http://127.0.0.1:${portOf(server.address())}`
    await sharp(await images.png()).toFile(join(converting.root, 'beside.png'))
  })

  afterAll(() => void server.close())

  const image = (href: string) => svg(`<image href="${href}" width="300" height="200"/>`)

  it.each([
    ['a file by URL', () => image(pathToFileURL(join(converting.root, 'beside.png')).href)],
    ['a file by path', () => image(join(converting.root, 'beside.png'))],
    ['a file beside it', () => image('beside.png')],
    ['a picture from the network', () => image(`${origin}/a.png`)],
    ['a style sheet', () => svg(`<style>@import url("${origin}/a.css");</style>`)],
    [
      'a style sheet, as an instruction',
      () =>
        svg(
          '',
          'width="9" height="9"',
          `<?xml version="1.0"?><?xml-stylesheet href="${origin}/a.css"?>`,
        ),
    ],
    [
      'another drawing',
      () => svg(`<use href="${origin}/a.svg#a"/><use xlink:href="beside.svg#a"/>`),
    ],
    [
      'an included text',
      () =>
        svg(
          `<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="${origin}/a" parse="text"/>`,
        ),
    ],
    [
      'a declaration',
      () => svg('', 'width="9" height="9"', `<!DOCTYPE svg SYSTEM "${origin}/a.dtd">`),
    ],
  ])('is not looked at: %s', async (_name, make) => {
    const { color } = await converting.convert(make(), presets)
    // Nothing was drawn.
    expect(color).toBe('#ffffff')
    expect(requests).toBe(0)
  })

  it.each(['file:///etc/passwd', 'http'])('is not an entity: %s', async (url) => {
    const system = url === 'http' ? `${origin}/entity` : url
    const prolog = `<!DOCTYPE svg [<!ENTITY a SYSTEM "${system}">]>`
    const text = svg('<text y="99" font-size="90">&a;</text>', 'width="300" height="200"', prolog)
    await expect(converting.convert(text, presets)).rejects.toMatchObject({ code: 'corrupt-image' })
    expect(requests).toBe(0)
  })
})
