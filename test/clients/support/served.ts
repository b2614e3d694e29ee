import { randomBytes } from 'node:crypto'
import sharp from 'sharp'
import { afterAll, beforeAll, expect } from 'vitest'
import { Api, sha256Of } from '../../support/api.ts'
import { type Deployment, type DeploymentKind, deploymentKinds } from '../../support/deployments.ts'
import type { Program } from '../../support/program.ts'

/** Both storages, with one database each. */
export const servedKinds: readonly DeploymentKind[] = deploymentKinds.filter(({ name }) =>
  ['disk and sqlite', 's3 and postgres'].includes(name),
)

/** The program that all tests of a `describe` talk to; not there before they start. */
export interface Served {
  readonly url: string
  readonly api: Api
  /** The keys of all objects in storage. */
  storedKeys(): Promise<string[]>
}

/** Starts the program before the tests of this `describe`, and ends it after them. */
export function serve(
  kind: DeploymentKind,
  settings: Readonly<Record<string, string>> = {},
): Served {
  let deployment: Deployment | undefined
  let program: Program | undefined
  beforeAll(async () => {
    deployment = await kind.create()
    program = await deployment.start(settings)
  })
  afterAll(async () => {
    await deployment?.[Symbol.asyncDispose]()
  })
  const running = () => {
    if (!deployment || !program) throw new Error('the program was not started')
    return { deployment, program }
  }
  return {
    get url() {
      return running().program.url
    },
    get api() {
      return new Api(running().program)
    },
    storedKeys: () => running().deployment.storedKeys(),
  }
}

const follows = 1_800_000

/**
 * A file of about 1.9 MB that differs from every other. Little of it is a picture, so that it is quick
 * to convert; more follows the end of that, which readers of pictures pass over.
 */
export async function makePicture(): Promise<Buffer> {
  const [width, height, channels] = [200, 150, 3] as const
  const pixels = randomBytes(width * height * channels)
  const picture = await sharp(pixels, { raw: { width, height, channels } }).png().toBuffer()
  return Buffer.concat([picture, randomBytes(follows)])
}

/** The bytes are those that were sent, under this name, and the picture in them has been converted. */
export async function expectPicture(
  { api }: Served,
  id: string,
  picture: Buffer,
  filename: string | null,
): Promise<void> {
  await expectContent(api, id, picture)
  const image = await api.converted(id)
  expect(image).toMatchObject({ state: 'ready', format: 'png', filename, size: picture.length })
}

/** The upload is stored, and its bytes are those that were sent. */
export async function expectContent(api: Api, id: string, bytes: Buffer): Promise<void> {
  const stored = async () => (await api.upload(id)).state
  await expect.poll(stored).toBe('stored')
  const content = await api.content(id)
  expect(content.length).toBe(bytes.length)
  expect(sha256Of(content)).toBe(sha256Of(bytes))
}
