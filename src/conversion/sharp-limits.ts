import sharp from 'sharp'

/**
 * Settles how sharp works in this process: nothing cached, one thread per image, and only the
 * decoders of the formats we convert. libvips brings many more, some of which open other files or
 * have never met hostile input; a format that slips past the sniffing ends here.
 */
export function limitSharp(): void {
  sharp.cache(false)
  sharp.concurrency(1)
  sharp.block({ operation: ['VipsForeignLoad'] })
  sharp.unblock({
    operation: ['Jpeg', 'Png', 'Webp', 'Nsgif', 'Heif', 'Tiff'].map(
      (format) => `VipsForeignLoad${format}File`,
    ),
  })
}
