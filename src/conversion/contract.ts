/** The formats a rendition can have; also its file extension. */
export type RenditionFormat = 'webp' | 'avif' | 'jpeg' | 'png'

/**
 * What a crop keeps: the part that draws the eye, or what lies around a point, given in fractions of
 * the upright image's width and height from its top left corner.
 */
export type Focus = 'attention' | { readonly x: number; readonly y: number }

/** A named size and shape of rendition. */
export interface Preset {
  /** Lower-case letters, digits and dashes; part of URLs and storage keys. */
  readonly name: string
  /** The box, in pixels. */
  readonly width: number
  readonly height: number
  /**
   * `inside`: all of the image, in its own proportions, no larger than the box. `cover`: what is left
   * of the image after cutting it to the box's proportions. Neither ever enlarges.
   */
  readonly fit: 'inside' | 'cover'
  /** Of `cover`. */
  readonly focus: Focus
  /**
   * Whether an image that moves still does, which takes WebP among the formats; of such an image
   * this preset then has nothing but the WebP. Every other rendition is a still of the first frame,
   * and so is this one when the animation is too long to be made.
   */
  readonly animated: boolean
  /** One rendition is made for each, the preferred first. */
  readonly formats: readonly RenditionFormat[]
  /** 1–100, as the encoder of the format understands it. */
  readonly quality: Readonly<Partial<Record<RenditionFormat, number>>>
}

export interface ConversionRequest {
  /** A local file with the original's bytes. It is read only. */
  readonly input: string
  /** An existing empty directory of this job; renditions are written there. The caller removes it. */
  readonly outputDirectory: string
  readonly presets: readonly Preset[]
}

export interface ConvertedRendition {
  readonly preset: string
  readonly format: RenditionFormat
  readonly contentType: string
  /** Pixels. */
  readonly width: number
  readonly height: number
  /** 1 for a still. */
  readonly frames: number
  /** Bytes. */
  readonly size: number
  /** The file, in the output directory. */
  readonly path: string
  /** Of the rendition's bytes, in hex. */
  readonly sha256: string
}

export interface ConversionResult {
  /** Of the original, found from its bytes: `jpeg`, `png`, `webp`, `gif`, `avif`, `tiff`, `svg`, `heic`. */
  readonly format: string
  /** Pixels as a person sees them, after orientation. */
  readonly width: number
  readonly height: number
  /** Camera data with everything, also what only the owner may see; undefined when there is none. */
  readonly exif: Readonly<Record<string, unknown>> | undefined
  /** ThumbHash (evanw/thumbhash), base64. */
  readonly thumbhash: string
  /** Dominant colour, `#rrggbb`. */
  readonly color: string
  readonly renditions: readonly ConvertedRendition[]
}

/**
 * Turns one original into renditions, outside this process. One that takes more memory or time than
 * it may is given up, with `image-too-large` or `conversion-timeout`.
 *
 * Rejects with an `AppError`:
 * - status 422 when the file itself is at fault and no retry can help, with a message for its owner:
 *   `not-an-image`, `unsupported-format`, `unsupported-codec`, `corrupt-image`, `image-too-large`,
 *   `conversion-timeout`;
 * - status 503, `conversion-crashed`, when the child process died, which may or may not be the file's fault;
 * - status 503, `conversion-failed`, for trouble around the file, such as one that cannot be read, and
 *   after `close`; 507, `storage-full`, when the output directory's disk is full;
 * - the signal's reason when it is aborted.
 *
 * Once it has settled, nothing writes to the output directory any more.
 */
export interface Converter {
  convert(request: ConversionRequest, signal: AbortSignal): Promise<ConversionResult>
  /** Ends the child processes; conversions that wait or run reject. */
  close(): Promise<void>
}
