import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadConfig } from '../../../src/config.ts'
import { defaultPresets } from '../../../src/conversion/presets.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../../support/temporary-directory.ts'

const root = resolve(import.meta.dirname, '../../..')
const box = { name: 'box', width: 100, formats: ['webp'] }

describe('PRESETS_FILE', () => {
  let directory: TemporaryDirectory
  let file: string

  beforeAll(async () => {
    directory = await temporaryDirectory()
    file = join(directory.path, 'presets.json')
  })
  afterAll(() => directory[Symbol.asyncDispose]())

  const load = (path = file) => loadConfig({ PRESETS_FILE: path }).conversion.presets
  async function presetsOf(...presets: object[]) {
    await writeFile(file, JSON.stringify({ presets }))
    return load()
  }

  it('unset means the default presets', () => {
    expect(loadConfig({}).conversion.presets).toEqual(defaultPresets)
  })

  it('gives presets in its order, with a default for whatever it does not say', async () => {
    const quality = { webp: 80, avif: 50, jpeg: 80 }
    expect(await presetsOf(box, { name: 'tall', height: 7, formats: ['avif', 'webp'] })).toEqual([
      {
        ...{ ...box, height: 16_383, fit: 'inside', focus: { x: 0.5, y: 0.5 } },
        ...{ quality, animated: false },
      },
      expect.objectContaining({
        name: 'tall',
        width: 16_383,
        height: 7,
        formats: ['avif', 'webp'],
      }),
    ])
  })

  it.each([
    [{ quality: 33 }, { quality: { webp: 33, avif: 33, jpeg: 33 } }],
    [{ quality: { avif: 33 } }, { quality: { webp: 80, avif: 33, jpeg: 80 } }],
    [{ focus: 'attention' }, { focus: 'attention' }],
    [{ focus: 'centre' }, { focus: { x: 0.5, y: 0.5 } }],
    [{ focus: { x: 0, y: 1 } }, { focus: { x: 0, y: 1 } }],
    [
      { fit: 'cover', height: 9 },
      { fit: 'cover', height: 9 },
    ],
    [{ animated: true }, { animated: true }],
  ])('understands %j', async (given, expected) => {
    expect(await presetsOf({ ...box, ...given })).toEqual([expect.objectContaining(expected)])
  })

  it.each([
    ['presets[0] to be without nme', { ...box, nme: 'x' }],
    ['presets[0] to be an object', 'box'],
    ['presets[0].name to be a name', { ...box, name: '../etc' }],
    ['presets[0].name to be a name', { ...box, name: 'x'.repeat(65) }],
    ['presets[0].name to be another name than content or original', { ...box, name: 'original' }],
    ['presets[0].width to be a whole number from 1 to 16383', { ...box, width: 0 }],
    ['presets[0].width to be a whole number from 1 to 16383', { ...box, width: 16_384 }],
    ['presets[0].width to be a whole number from 1 to 16383', { ...box, width: '100' }],
    ['presets[0] to be a width, a height or both', { name: 'box', formats: ['webp'] }],
    ['presets[0] to be both width and height, as fit is cover', { ...box, fit: 'cover' }],
    ['presets[0].fit to be one of inside, cover', { ...box, fit: 'fill' }],
    ['presets[0].focus to be centre, attention, or', { ...box, focus: 'left' }],
    ['presets[0].focus.x to be a number from 0 to 1', { ...box, focus: { x: 1.1, y: 0 } }],
    ['presets[0].formats to be a list of formats', { name: 'box', width: 1 }],
    ['presets[0].formats to be at least one format', { ...box, formats: [] }],
    ['presets[0].formats to be each format once', { ...box, formats: ['webp', 'webp'] }],
    [
      'presets[0].formats[1] to be one of webp, avif, jpeg, png',
      { ...box, formats: ['webp', 'gif'] },
    ],
    ['presets[0].quality to be a whole number from 1 to 100', { ...box, quality: 101 }],
    ['presets[0].quality to be without png', { ...box, quality: { png: 5 } }],
    ['presets[0].animated to be true or false', { ...box, animated: 1 }],
  ])('expects %s', async (expected, preset) => {
    await writeFile(file, JSON.stringify({ presets: [preset] }))
    expect(load).toThrow(`PRESETS_FILE=${file}: expected ${expected}`)
  })

  it('expects each name once, and 1 to 50 presets', async () => {
    await expect(presetsOf(box, { ...box, width: 5 })).rejects.toThrow(
      'presets[1].name to be another name than box',
    )
    await expect(presetsOf()).rejects.toThrow('presets to be at least one preset')
    const many = Array.from({ length: 51 }, (_, index) => ({ ...box, name: `box-${index}` }))
    await expect(presetsOf(...many)).rejects.toThrow('presets to be at most 50 presets')
    expect(await presetsOf(...many.slice(1))).toHaveLength(50)
  })

  it.each([
    ['[]', 'the file to be an object'],
    ['{}', 'presets to be a list of presets'],
    ['{"presets": [], "preset": []}', 'presets to be at least one preset'],
    ['{"presets": [\n}', 'JSON ('],
    ['', 'JSON ('],
  ])('refuses a file of %j with one line', async (text, expected) => {
    await writeFile(file, text)
    expect(load).toThrow(`PRESETS_FILE=${file}: expected ${expected}`)
    expect(load).not.toThrow('\n')
  })

  it('refuses a file that is not there, and a directory, with one line', () => {
    const missing = join(directory.path, 'none.json')
    expect(() => load(missing)).toThrow(`PRESETS_FILE=${missing}: expected a file that can be read`)
    expect(() => load(directory.path)).toThrow('expected a file that can be read')
  })

  it('can be begun with the example that comes along', () => {
    const path = join(root, 'presets.example.json')
    expect(load(path).length).toBeGreaterThan(2)
    expect(readFileSync(join(root, 'README.md'), 'utf8')).toContain('presets.example.json')
  })
})

it("the README's table of presets is what the code declares", () => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8')
  const rows = [
    ...readme.matchAll(/^\| `([a-z-]+)` +\| (\d+) × (\d+) +\| ([A-Za-z, ]+?) +\| (yes|no) +\|$/gm),
  ]
  const presets = rows.map(([, name, width, height, formats = '', animated]) => ({
    name,
    width: Number(width),
    height: Number(height),
    formats: formats.toLowerCase().split(', '),
    animated: animated === 'yes',
  }))
  const declared = defaultPresets.map(({ name, width, height, formats, animated }) => ({
    ...{ name, width, height, formats, animated },
  }))
  expect(presets).toEqual(declared)
})
