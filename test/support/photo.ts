/** Pictures for tests and the demo, made rather than kept: a landscape with the grain of a sensor. */
import sharp from 'sharp'

export interface PhotoOptions {
  readonly width?: number
  readonly height?: number
  /** How strong the grain is; more of it makes a larger file. */
  readonly grain?: number
  /** The EXIF orientation, 1 to 8: how a viewer has to turn the stored pixels. */
  readonly orientation?: number
}

/** A JPEG as a phone takes it: 12 megapixels and several MB, unless told otherwise. */
export async function makePhoto(options: PhotoOptions = {}): Promise<Buffer> {
  const { width = 4032, height = 3024, grain = 18, orientation = 1 } = options
  const noise = await sharp({
    create: {
      width,
      height,
      channels: 3,
      background: '#808080',
      noise: { type: 'gaussian', mean: 128, sigma: grain },
    },
  })
    .png({ compressionLevel: 0 })
    .toBuffer()
  return sharp(Buffer.from(landscape(width, height)))
    .composite([{ input: noise, blend: 'hard-light' }])
    .flatten()
    .jpeg({ quality: 90 })
    .withExif({ IFD0: { Make: 'Landfall', Model: 'Made up' } })
    .withMetadata({ orientation })
    .toBuffer()
}

function landscape(width: number, height: number): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 400 300" preserveAspectRatio="none">
    <linearGradient id="sky" x1="0" y1="0" x2="0" y2="1">
      <stop offset="0" stop-color="#1d3f72"/><stop offset="0.7" stop-color="#f2a65a"/>
    </linearGradient>
    <rect width="400" height="300" fill="url(#sky)"/>
    <circle cx="290" cy="170" r="26" fill="#ffe9b8"/>
    <path d="M0 210 L90 150 L170 215 L260 160 L400 225 V300 H0 Z" fill="#4a4e69"/>
    <path d="M0 250 Q120 205 220 245 T400 240 V300 H0 Z" fill="#22333b"/>
  </svg>`
}
