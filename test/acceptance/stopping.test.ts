import { randomBytes } from 'node:crypto'
import { request } from 'node:http'
import { expect, it } from 'vitest'
import { Api } from '../support/api.ts'
import { deploymentKinds } from '../support/deployments.ts'
import { makePhoto } from '../support/photo.ts'
import { type Program, startProgram } from '../support/program.ts'
import { idOf, uploadBuffer } from '../support/upload.ts'
import { waitFor } from '../support/wait.ts'

const tus = { 'Tus-Resumable': '1.0.0' }

it.each(deploymentKinds)(
  'a stop on $name keeps every byte that had arrived of an upload under way',
  async ({ create }) => {
    await using deployment = await create()
    const program = await deployment.start()
    const id = await createUpload(program, 100_000)
    const body = await sendSlowly(program, id, randomBytes(60_000))
    await waitFor(() => body.sent, { what: 'the bytes to be sent' })
    await waitFor(() => hasReceived(program), { what: 'the program to be at work' })

    expect((await program.stop()).code).toBe(0)
    body.end()
    const again = await deployment.start()
    expect(await new Api(again).upload(id)).toMatchObject({ state: 'receiving', offset: 60_000 })
    const head = await fetch(`${again.url}/files/${id}`, { method: 'HEAD', headers: tus })
    expect(head.headers.get('Upload-Offset')).toBe('60000')
  },
)

it('a second signal ends the program at once', async () => {
  await using program = await startProgram()
  const photo = await makePhoto()
  const { id } = await uploadBuffer(program.url, photo, { filename: 'photo.jpg' })
  expect((await new Api(program).image(id)).state).toBe('processing')
  process.kill(program.pid, 'SIGTERM')
  await waitFor(() => program.logs.some(({ msg }) => String(msg).startsWith('stopping')))
  process.kill(program.pid, 'SIGTERM')
  expect(await program.exited).toMatchObject({ code: 130 })
})

async function createUpload({ url }: Program, length: number): Promise<string> {
  const response = await fetch(`${url}/files`, {
    method: 'POST',
    headers: { ...tus, 'Upload-Length': String(length) },
  })
  return idOf(new URL(response.headers.get('Location') ?? '', url).href)
}

/** Sends bytes of a request that promises more than it ever brings. */
async function sendSlowly({ url }: Program, id: string, bytes: Buffer) {
  const state = { sent: false, end: () => {} }
  const patch = request(`${url}/files/${id}`, {
    method: 'PATCH',
    headers: {
      ...tus,
      'Upload-Offset': '0',
      'Content-Type': 'application/offset+octet-stream',
      'Content-Length': '100000',
    },
  })
  patch.on('error', () => {})
  patch.write(bytes, () => {
    state.sent = true
  })
  state.end = () => void patch.destroy()
  return state
}

/** A request that was sent after those bytes is answered: they have been read before it. */
async function hasReceived({ url }: Program): Promise<boolean> {
  return (await fetch(`${url}/readyz`)).ok
}
