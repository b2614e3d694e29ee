import { createRequire } from 'node:module'
import { join } from 'node:path'
import { Child } from '../../test/support/child.ts'
import { startProgram } from '../../test/support/program.ts'
import { temporaryDirectory } from '../../test/support/temporary-directory.ts'
import { idOf } from '../../test/support/upload.ts'
import { waitFor } from '../../test/support/wait.ts'

/** A tus server in a process of its own, on an empty directory. */
export interface RunningServer extends AsyncDisposable {
  readonly pid: number
  /** Where uploads are created. */
  readonly filesUrl: string
  /** Waits until the server has done everything the upload makes it do. */
  settled(uploadUrl: string): Promise<void>
}

export interface Contestant {
  readonly name: string
  start(): Promise<RunningServer>
}

export const landfall: Contestant = {
  name: 'Landfall',
  async start() {
    const program = await startProgram()
    return {
      pid: program.pid,
      filesUrl: `${program.url}/files`,
      settled: (uploadUrl) => untilStored(program.url, idOf(uploadUrl)),
      [Symbol.asyncDispose]: async () => {
        await program.stop().finally(() => program[Symbol.asyncDispose]())
      },
    }
  },
}

export const stock: Contestant = {
  name: `@tus/server ${versionOf('@tus/server')} + @tus/file-store ${versionOf('@tus/file-store')}`,
  async start() {
    const resources = new AsyncDisposableStack()
    const directory = resources.use(await temporaryDirectory())
    const entry = join(import.meta.dirname, 'stock/server.ts')
    const env = { PATH: process.env.PATH ?? '' }
    const child = resources.use(new Child({ args: [entry, directory.path], env }))
    const url = await child.firstOutput(() => /"url":"([^"]+)"/.exec(child.stdout)?.[1])
    if (url === undefined) {
      await resources.disposeAsync()
      throw new Error(`the stock server did not start:\n${child.stderr}`)
    }
    return {
      pid: child.pid,
      filesUrl: `${url}/files`,
      settled: async () => {},
      [Symbol.asyncDispose]: () => resources.disposeAsync(),
    }
  },
}

async function untilStored(url: string, id: string): Promise<void> {
  await waitFor(
    async () => {
      const response = await fetch(`${url}/v1/uploads/${id}`)
      if (!response.ok) throw new Error(`GET /v1/uploads/${id} was answered ${response.status}`)
      const upload = (await response.json()) as { state: string; image?: { state: string } | null }
      return upload.state === 'stored' && upload.image?.state !== 'processing'
    },
    { timeoutMs: 120_000, what: 'the upload to be stored' },
  )
}

function versionOf(name: string): string {
  const { resolve } = createRequire(import.meta.url)
  const directory = resolve(name).split(`/node_modules/${name}/`)[0] ?? ''
  const manifest: unknown = createRequire(import.meta.url)(
    `${directory}/node_modules/${name}/package.json`,
  )
  return (manifest as { version: string }).version
}
