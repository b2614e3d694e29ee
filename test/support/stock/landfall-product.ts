import { join } from 'node:path'
import { startProgram } from '../program.ts'
import type { CreateProduct, RunningServer } from './product.ts'

const daySeconds = 86_400

export const landfall: CreateProduct = async ({ directory, s3, env, settings }) => ({
  objectDirectory: join(directory, 'objects'),
  patienceMs: 60_000,
  start: () =>
    startProgram({
      dataDir: directory,
      env: {
        ...env,
        ...s3?.env,
        UPLOAD_EXPIRES_IN: `${settings.expiresInSeconds ?? daySeconds}s`,
      },
    }),
  keyOf: (id) => `uploads/${id}`,
  contentPath: (id) => `/v1/uploads/${id}/content`,
  isBeingMade: async (server, id) => (await imageState(server, id)) === 'processing',
  async isMade(server, id) {
    const state = await imageState(server, id)
    return state === 'ready' || state === 'failed'
  },
})

/** Undefined as long as there is no such image. */
async function imageState({ url }: RunningServer, id: string): Promise<string | undefined> {
  const response = await fetch(`${url}/v1/images/${id}`)
  if (response.status === 404) return undefined
  const image = (await response.json()) as { readonly state: string }
  return image.state
}
