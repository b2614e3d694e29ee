import sharp from 'sharp'
import { expect, it } from 'vitest'
import { Api } from '../support/api.ts'
import { deploymentKinds } from '../support/deployments.ts'
import { makePhoto } from '../support/photo.ts'
import { uploadBuffer } from '../support/upload.ts'

/** Where the photo was taken, what took it, and whose it is: words that are nowhere else. */
const secrets = [
  'SERIAL-4711',
  'LENS-0815',
  'Erika Muster',
  'Hinterhof 3',
  'WGS-84-SECRET',
  '48/1 8/1',
]
/** What says that there is such a thing at all. */
const names = /gps|latitude|serialnumber|ownername|artist/i

it.each(deploymentKinds)(
  'nothing but the original tells where a photo was taken, or with whose camera: $name',
  async ({ create }) => {
    await using deployment = await create()
    const program = await deployment.start({ LOG_LEVEL: 'trace' })
    const photo = await sharp(await makePhoto({ width: 900, height: 600 }))
      .withExif({
        IFD0: { Model: 'Telltale 3000', Artist: 'Erika Muster', ImageDescription: 'Hinterhof 3' },
        IFD2: { BodySerialNumber: 'SERIAL-4711', LensSerialNumber: 'LENS-0815' },
        IFD3: {
          GPSLatitudeRef: 'N',
          GPSLatitude: '48/1 8/1 0/1',
          GPSLongitudeRef: 'E',
          GPSLongitude: '11/1 34/1 0/1',
          GPSMapDatum: 'WGS-84-SECRET',
        },
      })
      .withXmp(`<x:xmpmeta xmlns:x="adobe:ns:meta/">SERIAL-4711</x:xmpmeta>`)
      .toBuffer()
    expect(photo.includes('SERIAL-4711')).toBe(true)
    expect(photo.includes('WGS-84-SECRET')).toBe(true)

    const api = new Api(program)
    const { id } = await uploadBuffer(program.url, photo, { filename: 'photo.jpg' })
    // One that fails is told of in other words.
    const broken = await uploadBuffer(program.url, photo.subarray(0, photo.length / 2), {
      filename: 'broken.jpg',
    })
    const image = await api.converted(id)
    expect(image.state).toBe('ready')
    expect((await api.converted(broken.id)).state).toBe('failed')

    const answers = [
      ...['/v1/images', '/v1/uploads', '/v1/config', '/openapi.json', '/readyz'],
      ...[id, broken.id].flatMap((each) => [`/v1/images/${each}`, `/v1/uploads/${each}`]),
      ...[`/v1/images/${broken.id}/thumb`, `/v1/images/${id}/nosuch`],
    ]
    for (const path of answers) {
      const text = await (await fetch(program.url + path)).text()
      for (const secret of secrets) expect(text, path).not.toContain(secret)
      if (path !== '/openapi.json') expect(text, path).not.toMatch(names)
    }
    expect(JSON.stringify(image)).toContain('Telltale 3000')

    expect(image.renditions.length).toBeGreaterThan(0)
    for (const { url } of image.renditions) {
      const bytes = await api.bytes(url)
      for (const secret of secrets) expect(bytes.includes(secret), url).toBe(false)
      const { exif, xmp, iptc } = await sharp(bytes).metadata()
      expect({ exif, xmp, iptc }).toEqual({})
    }
    expect((await api.content(id)).equals(photo)).toBe(true)
    expect((await program.stop()).code).toBe(0)
    for (const secret of secrets) expect(program.stdout).not.toContain(secret)
    expect(program.stdout).not.toMatch(names)
  },
  120_000,
)
