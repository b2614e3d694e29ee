/**
 * The image processing engine. Its statistics, its dashboard, its bus of events and its seven days
 * are not in this release.
 */
import { beforeAll, expect, it } from 'vitest'
import type { ImageView } from '../../support/api.ts'
import { deploymentKinds } from '../../support/deployments.ts'
import { makePhoto } from '../../support/photo.ts'
import { Person, step } from '../../support/story.ts'
import { issuerKey, startIssuer, type TestIssuer, tokenBy } from '../../support/tokens.ts'
import { tusHeaders } from '../../support/tus-requests.ts'

const timeoutMs = 180_000

const claims = { iss: 'https://id.example.com/', aud: 'landfall' }
const settingsFor = ({ url }: TestIssuer) => ({
  ...{ AUTH_JWKS_URL: url, AUTH_ISSUER: claims.iss, AUTH_AUDIENCE: claims.aud },
})

let picture: Buffer

beforeAll(async () => {
  picture = await makePhoto({ width: 2_000, height: 1_500 })
})

it.each(deploymentKinds)(
  'the image engine’s flow on $name',
  async ({ create }) => {
    const key = await issuerKey('first')
    await using provider = await startIssuer(key)
    await using deployment = await create()
    const program = await deployment.start(settingsFor(provider))
    const token = await tokenBy(key, 'customer', claims)
    const customer = new Person(program, token)

    await step('0. Who has not been authenticated there, uploads nothing', async () => {
      const headers = { ...tusHeaders, 'Upload-Length': '10' }
      const elsewhere = await tokenBy(await issuerKey('first'), 'customer', claims)
      const unfit = await tokenBy(key, 'customer', { ...claims, aud: 'another program' })
      for (const bad of [undefined, elsewhere, unfit, `${token}x`]) {
        const stranger = new Person(program, bad)
        expect((await stranger.ask('POST', '/files', { headers })).status).toBe(401)
        expect((await stranger.ask('POST', '/v1/images', { body: picture })).status).toBe(401)
      }
    })
    const location = await step(
      '1. The user is authenticated by an identity provider, and uploads through the API',
      () => uploadInPieces(customer, picture),
    )
    const id = await step('2. The upload returned an image id', async () => {
      const id = new URL(location, program.url).pathname.split('/').at(-1) ?? ''
      expect(await customer.read(`/v1/images/${id}`)).toMatchObject({ id, size: picture.length })
      return id
    })
    const again = await step('3. The processing service is down, and catches up', async () => {
      await program.kill('SIGKILL')
      const restarted = await deployment.start(settingsFor(provider))
      return { customer: new Person(restarted, token), program: restarted }
    })
    const image = await step('4. The processed images are there', async () => {
      const image = await again.customer.converted(id)
      expect(image.state).toBe('ready')
      expect(image.renditions.length).toBeGreaterThan(0)
      return image
    })
    await step('GET /v1/image/{id}: the customer downloads a processed image', () =>
      download(again.customer, image),
    )
    await step('GET /v1/image/metadata/{id}: its metadata, for its customer alone', async () => {
      expect(image).toMatchObject({ filename: 'holiday.jpg', width: 2_000, height: 1_500 })
      expect(image.sha256).toMatch(/^[0-9a-f]{64}$/)
      const rival = new Person(again.program, await tokenBy(key, 'rival', claims))
      for (const path of [`/v1/images/${id}`, `/v1/images/${id}/thumb`, `/v1/uploads/${id}`]) {
        expect((await rival.ask('GET', path)).status).toBe(404)
      }
    })
  },
  timeoutMs,
)

/** In two pieces, as a connection that breaks leaves them. Returns where it is. */
async function uploadInPieces(customer: Person, bytes: Buffer): Promise<string> {
  const filename = Buffer.from('holiday.jpg').toString('base64')
  const begun = await customer.ask('POST', '/files', {
    headers: {
      ...tusHeaders,
      'Upload-Length': String(bytes.length),
      'Upload-Metadata': `filename ${filename}`,
    },
  })
  expect(begun.status).toBe(201)
  const location = begun.headers.get('Location') ?? ''
  const half = Math.floor(bytes.length / 2)
  for (const [from, to] of [
    [0, half],
    [half, bytes.length],
  ]) {
    const sent = await customer.ask('PATCH', location, {
      headers: {
        ...tusHeaders,
        'Content-Type': 'application/offset+octet-stream',
        'Upload-Offset': String(from),
      },
      body: bytes.subarray(from, to),
    })
    expect(sent.status).toBe(204)
    expect(sent.headers.get('Upload-Offset')).toBe(String(to))
  }
  return location
}

async function download(customer: Person, { id, renditions }: ImageView): Promise<void> {
  const path = `/v1/images/${id}/thumb`
  const whole = await customer.ask('GET', path)
  expect(whole.status).toBe(200)
  expect(renditions.map(({ size }) => size)).toContain(whole.bytes.length)
  const part = await customer.ask('GET', path, { headers: { Range: 'bytes=10-19' } })
  expect(part.status).toBe(206)
  expect(part.bytes).toEqual(whole.bytes.subarray(10, 20))
  const etag = whole.headers.get('ETag') ?? ''
  const known = await customer.ask('GET', path, { headers: { 'If-None-Match': etag } })
  expect(known.status).toBe(304)
}
