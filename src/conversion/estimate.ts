import type { RenditionFormat } from './contract.ts'
import type { Inspected } from './inspect.ts'
import type { Plan, Task } from './plan.ts'
import { pixelsOf } from './size.ts'

/** A process with sharp loaded, some jobs old. */
const processBytes = 150 * 2 ** 20
/** Rows that are in flight between a decoder that works from top to bottom and the resizer. */
const rowsInFlight = 2_048
const copyBytesPerPixel = 4
/** Per pixel of a still, beside the copy, while an encoder works on it: without alpha, and with it. */
const encodeBytesPerPixel: Readonly<Record<RenditionFormat, readonly [number, number]>> = {
  avif: [36, 48],
  webp: [8, 16],
  jpeg: [8, 8],
  png: [8, 8],
}
/** Per pixel of one frame: the canvases of the decoder and the encoder, and the encoder's own. */
const canvasBytesPerPixel = 80
/** Per pixel of all frames of a moving rendition. */
const framesBytesPerPixel = 4

/**
 * The bytes of memory it takes to convert an image as planned. Measured with the decoders of libvips
 * 8.18 and rounded up: what decides is not the pixels alone but whether the decoder has to hold the
 * whole frame. By the time of encoding, the frame is gone.
 */
export function estimateMemory(image: Inspected, { copy, tasks }: Plan): number {
  const copyPixels = pixelsOf(copy)
  const decoding = decodingBytes(image) + copyPixels * copyBytesPerPixel
  const moving = Math.max(0, ...tasks.map((task) => movingBytes(image, task)))
  const encoding = Math.max(0, ...tasks.map((task) => encodingBytes(image, task)))
  return processBytes + Math.max(decoding, moving, copyPixels * copyBytesPerPixel + encoding)
}

function encodingBytes({ channels }: Inspected, { format, ...size }: Task): number {
  const [opaque, withAlpha] = encodeBytesPerPixel[format]
  return pixelsOf(size) * (channels > 3 ? withAlpha : opaque)
}

function decodingBytes(image: Inspected): number {
  const pixels = pixelsOf(image)
  const sampleBytes = image.channels * image.bytesPerSample
  const longestRow = Math.max(image.width, image.height)
  const rows = Math.min(rowsInFlight * longestRow, pixels) * sampleBytes
  return rows + pixels * frameBytesPerPixel(image)
}

/** Beside one frame, the encoder keeps what it has made, and some decoders the file. */
function movingBytes(image: Inspected, task: Task): number {
  if (task.frames === 1) return 0
  const canvases = (pixelsOf(image) + pixelsOf(task)) * canvasBytesPerPixel
  return canvases + image.fileBytes + pixelsOf(task) * task.frames * framesBytesPerPixel
}

/** What the decoder of a format holds per pixel of the whole frame; 0 when it holds rows only. */
function frameBytesPerPixel(image: Inspected): number {
  const sample = image.channels * image.bytesPerSample
  switch (image.format) {
    case 'jpeg':
      return image.progressive ? 2 * image.channels : 0
    case 'png':
      return image.progressive ? sample : 0
    // One strip may hold the whole picture, and the header does not say.
    case 'tiff':
      return sample
    case 'webp':
    case 'gif':
      return 7
    // Drawn at the size of the copy.
    case 'svg':
      return 0
    case 'heic':
      return heicBytesPerPixel
    default:
      return 17 * image.bytesPerSample
  }
}

/** Of libheif as WebAssembly, which needs more than the program does. */
const heicBytesPerPixel = 17
