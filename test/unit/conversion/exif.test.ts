import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { publicExif, readExif } from '../../../src/conversion/exif.ts'
import { camera, jpeg } from '../../fixtures/images.ts'

async function block(): Promise<Buffer> {
  const { exif } = await sharp(await jpeg()).metadata()
  if (!exif) throw new Error('the fixture has no EXIF')
  return exif
}

/** A little-endian EXIF block whose only directory has these entries of twelve bytes. */
function directory(...entries: Buffer[]): Buffer {
  const count = Buffer.from([entries.length & 0xff, entries.length >> 8])
  return Buffer.concat([
    Buffer.from('II*\0\x08\0\0\0', 'latin1'),
    count,
    ...entries,
    Buffer.alloc(64),
  ])
}

function entry(tag: number, type: number, count: number, value: Buffer | number): Buffer {
  const bytes = Buffer.alloc(12)
  bytes.writeUInt16LE(tag, 0)
  bytes.writeUInt16LE(type, 2)
  bytes.writeUInt32LE(count, 4)
  if (typeof value === 'number') bytes.writeUInt32LE(value, 8)
  else value.copy(bytes, 8)
  return bytes
}

const make = (text: string) => entry(0x010f, 2, text.length, Buffer.from(text, 'latin1'))

describe('EXIF for the owner', () => {
  it('has camera, exposure and position, and survives JSON unchanged', async () => {
    const exif = readExif(await block())
    expect(exif).toMatchObject({
      Image: { Make: camera.make, Model: camera.model },
      Photo: { ExposureTime: 0.004, FNumber: 2.8, BodySerialNumber: camera.serial },
      GPSInfo: { GPSLatitude: [51, 28, 38], GPSLongitudeRef: 'W' },
    })
    expect(JSON.parse(JSON.stringify(exif))).toEqual(exif)
  })

  it('has times without a zone, as the camera knew none', async () => {
    expect(readExif(await block())).toMatchObject({
      Photo: { DateTimeOriginal: '2024-06-01T08:15:30' },
    })
  })

  it('has texts without the zeros they are padded with', () => {
    expect(readExif(directory(make('A\0B\0')))).toEqual({ Image: { Make: 'AB' } })
  })

  it('leaves out binary values and numbers that are none', () => {
    const zeroByZero = entry(0x829a, 5, 1, 60)
    const binary = entry(0x9286, 7, 4, Buffer.from([1, 2, 3, 4]))
    expect(readExif(directory(make('A'), zeroByZero, binary))).toEqual({ Image: { Make: 'A' } })
  })

  it('leaves out texts that are too long to be a fact', () => {
    const long = Buffer.concat([directory(entry(0x010f, 2, 5_000, 26)), Buffer.alloc(6_000, 'a')])
    expect(readExif(long)).toBeUndefined()
  })

  it('says no more than a camera would, however many entries point to one text', () => {
    const count = 5_000
    const entries = Array.from({ length: count }, (_, each) =>
      entry(0x8000 + each, 2, 2_000, 10 + count * 12),
    )
    const many = directory(make('A'), ...entries.slice(1))
    const exif = readExif(Buffer.concat([many, Buffer.alloc(2_000, 'a')]))
    expect(JSON.stringify(exif).length).toBeGreaterThan(2_000)
    expect(JSON.stringify(exif).length).toBeLessThan(70_000)
  })

  it.each([
    ['nothing', undefined],
    ['an empty block', Buffer.alloc(0)],
    ['noise', Buffer.from('not EXIF at all')],
    ['a header that points nowhere', Buffer.from('II*\0\xff\xff\xff\xff\0\0\0\0', 'latin1')],
  ])('is undefined for %s', (_name, bytes) => {
    expect(readExif(bytes)).toBeUndefined()
  })

  it('never throws, wherever a block is cut off', async () => {
    const whole = await block()
    for (let length = 0; length < whole.length; length += 1) {
      expect(() => readExif(whole.subarray(0, length))).not.toThrow()
    }
  })
})

describe('EXIF for others', () => {
  it('has the camera and the exposure', async () => {
    expect(publicExif(readExif(await block()))).toMatchObject({
      Image: { Make: camera.make, Model: camera.model },
      Photo: { ExposureTime: 0.004, FNumber: 2.8 },
    })
  })

  it('has no position, serial number or name', async () => {
    const text = JSON.stringify(publicExif(readExif(await block())))
    expect(text).not.toMatch(/GPS|Serial|Owner|Artist/)
    expect(text).not.toContain(camera.serial)
    expect(text).not.toContain(camera.owner)
  })

  it('has no tag that nobody knows', () => {
    const exif = { Image: { Make: 'A', 51043: 'home' }, MakerNote: { x: 1 } }
    expect(publicExif(exif)).toEqual({ Image: { Make: 'A' } })
  })

  it('is undefined when nothing public is left', () => {
    expect(publicExif({ GPSInfo: { GPSLatitudeRef: 'N' } })).toBeUndefined()
    expect(publicExif(undefined)).toBeUndefined()
  })
})
