import sharp from 'sharp'

/**
 * Settles how sharp works in this process: nothing cached, one thread per image, and only the
 * decoders of the formats we convert. libvips brings many more, some of which open other files or
 * have never met hostile input; a format that slips past the sniffing ends here. SVG is taken from
 * memory only: opened by its path it could read what lies beside it.
 */
export function limitSharp(): void {
  sharp.cache(false)
  sharp.concurrency(1)
  sharp.block({ operation: ['VipsForeignLoad'] })
  const fromFiles = ['Jpeg', 'Png', 'Webp', 'Nsgif', 'Heif', 'Tiff'].map((name) => `${name}File`)
  // WebP is what we have made ourselves.
  const fromMemory = ['SvgBuffer', 'WebpBuffer']
  sharp.unblock({
    operation: [...fromFiles, ...fromMemory].map((loader) => `VipsForeignLoad${loader}`),
  })
}
