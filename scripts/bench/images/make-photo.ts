import sharp from 'sharp'

export interface PhotoOptions {
  readonly width: number
  readonly height: number
  /** How strong the grain of the sensor is; more of it makes a larger file. */
  readonly grain: number
  /** The EXIF orientation, 1 to 8: how a viewer has to turn the stored pixels. */
  readonly orientation: number
}

/** The pixels a blot of texture is wide, where the longer side has `side` pixels, and its strength. */
const textures = (side: number) =>
  [
    [side / 3_000, 12],
    [side / 750, 18],
    [side / 190, 24],
  ] as const

/**
 * A JPEG that is as hard to encode as a photograph: detail of every size, since a picture with
 * nothing but grain has none left once it is made smaller.
 */
export async function makePhoto(options: PhotoOptions): Promise<Buffer> {
  const { width, height, grain, orientation } = options
  const layers = [await noise(options, 1, grain)]
  for (const [scale, strength] of textures(Math.max(width, height))) {
    layers.push(await noise(options, Math.max(2, Math.round(scale)), strength))
  }
  return sharp(Buffer.from(landscape(width, height)))
    .composite(layers.map((input) => ({ input, blend: 'hard-light' })))
    .flatten()
    .jpeg({ quality: 90 })
    .withExif({ IFD0: { Make: 'Landfall', Model: 'Made up' } })
    .withMetadata({ orientation })
    .toBuffer()
}

/** Grey, in blots of `scale` pixels. */
async function noise(
  { width, height }: PhotoOptions,
  scale: number,
  sigma: number,
): Promise<Buffer> {
  const blots = await sharp({
    create: {
      width: Math.ceil(width / scale),
      height: Math.ceil(height / scale),
      channels: 3,
      background: '#808080',
      noise: { type: 'gaussian', mean: 128, sigma },
    },
  })
    .greyscale()
    .png({ compressionLevel: 0 })
    .toBuffer()
  if (scale === 1) return blots
  return sharp(blots)
    .resize(width, height, { fit: 'fill', kernel: 'cubic' })
    .png({ compressionLevel: 0 })
    .toBuffer()
}

function landscape(width: number, height: number): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 4 3" preserveAspectRatio="none">
    <linearGradient id="sky" x1="0" y1="0" x2="0" y2="1">
      <stop offset="0" stop-color="#3a5f95"/><stop offset="0.7" stop-color="#e8b078"/>
    </linearGradient>
    <rect width="4" height="3" fill="url(#sky)"/>
    <path d="M0 2 L1 1.4 L1.8 2.1 L2.6 1.5 L4 2.2 V3 H0 Z" fill="#5a6a58"/>
  </svg>`
}
