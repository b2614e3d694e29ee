import { Api, type ImageView, sha256Of } from '../../test/support/api.ts'
import { type NetworkProxy, startNetworkProxy } from '../../test/support/network-proxy.ts'
import { makePhoto } from '../../test/support/photo.ts'
import { type Program, startProgram } from '../../test/support/program.ts'
import { startS3 } from '../../test/support/s3.ts'
import { type FinishedUpload, uploadBuffer } from '../../test/support/upload.ts'
import { Progress } from '../support/progress.ts'
import { formatBytes, formatTable } from '../support/text.ts'

export interface DemoOptions {
  /** Store in S3, served from memory, instead of on disk. */
  readonly s3: boolean
  /** Takes what has to be cleaned up. */
  readonly resources: AsyncDisposableStack
}

const cuts = 5

/** Shows the main job once. Throws when anything is not as promised. */
export async function demo({ s3, resources }: DemoOptions): Promise<void> {
  const photo = await makePhoto()
  const sha256 = sha256Of(photo)
  console.log(`A photo of 12 megapixels, ${formatBytes(photo.length)}, sha256 ${sha256}\n`)

  const program = await startServer(s3, resources)
  const proxy = resources.use(
    await startNetworkProxy(program.url, {
      cuts,
      cutAfter: [photo.length / 16, photo.length / 6].map(Math.round) as [number, number],
      bytesPerSecond: 4_000_000,
    }),
  )
  const upload = await uploadThrough(proxy, photo)
  const api = new Api(program)
  const image = await untilConverted(api, upload.id)
  printImage(image, program.url)
  await checkOriginal(api, upload.id, sha256)
  if (image.sha256 !== sha256) throw new Error(`the image's record says sha256 ${image.sha256}`)

  const { code } = await program.stop()
  if (code !== 0) throw new Error(`the server ended with exit code ${code}`)
}

async function startServer(s3: boolean, resources: AsyncDisposableStack): Promise<Program> {
  const bucket = s3 ? await startS3() : undefined
  resources.defer(async () => bucket?.close())
  const program = resources.use(await startProgram({ env: bucket?.env ?? {} }))
  const where = bucket ? `the bucket ${bucket.bucket} at ${bucket.endpoint}` : program.dataDir
  console.log(`Landfall listens at ${program.url} and stores in ${where}\n`)
  return program
}

async function uploadThrough(proxy: NetworkProxy, photo: Buffer): Promise<FinishedUpload> {
  console.log(`Uploading with tus-js-client over a connection that breaks ${cuts} times`)
  const progress = new Progress(photo.length)
  const upload = await uploadBuffer(proxy.url, photo, {
    filename: 'landscape.jpg',
    contentType: 'image/jpeg',
    onProgress: (sent) => progress.update(sent),
    onBrokenRequest: () => progress.note('✂ the connection broke'),
    onResume: (offset) => progress.note(`↻ resumed at ${formatBytes(offset)} (byte ${offset})`),
  }).finally(() => progress.end())
  if (proxy.cuts < cuts) throw new Error(`the connection broke ${proxy.cuts} times, not ${cuts}`)
  if (upload.created > 1) throw new Error('the client had to start over')
  console.log(`Arrived as ${new URL(upload.url).pathname}\n`)
  return upload
}

async function untilConverted(api: Api, id: string): Promise<ImageView> {
  console.log('Waiting for the conversion')
  const image = await api.converted(id)
  if (image.state !== 'ready') {
    throw new Error(`the image is ${image.state}: ${image.error?.message ?? 'no reason given'}`)
  }
  return image
}

function printImage(image: ImageView, base: string): void {
  const rows = image.renditions.map((rendition) => [
    rendition.preset,
    rendition.format,
    `${rendition.width} × ${rendition.height}`,
    `${rendition.size}`,
    new URL(rendition.url, base).href,
  ])
  console.log(`${formatTable(['preset', 'format', 'pixels', 'bytes', 'url'], rows)}\n`)
  if (rows.length === 0) throw new Error('the image has no renditions')
}

async function checkOriginal(api: Api, id: string, expected: string): Promise<void> {
  const actual = sha256Of(await api.content(id))
  if (actual !== expected) throw new Error(`the original came back with sha256 ${actual}`)
  console.log(`The original came back unchanged: sha256 ${actual}`)
}
