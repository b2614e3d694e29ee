import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startNetworkProxy } from '../support/network-proxy.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../support/temporary-directory.ts'
import { idOf } from '../support/upload.ts'
import { startHttpProxy } from './support/http-proxy.ts'
import { expectContent, expectPicture, makePicture, serve, servedKinds } from './support/served.ts'

/** A Python that has tuspy; `.ci/run` makes one. */
const python = process.env.TUSPY_PYTHON ?? 'python3'
const script = join(import.meta.dirname, 'support/tuspy-client.py')
const run = promisify(execFile)
const timeout = 120_000

const hasTuspy = await run(python, ['-c', 'import tusclient']).then(
  () => true,
  () => false,
)
if (!hasTuspy) console.log(`skipped: tuspy, as ${python} is missing or does not have it`)

interface Run {
  /** Where the first file's upload stood at the start. */
  readonly from: number
  readonly ids: readonly string[]
}

/** Runs tuspy to its end; fails when it does. */
async function tuspy(server: string, ...args: readonly string[]): Promise<Run> {
  const endpoint = new URL('/files', server).href
  const { stdout } = await run(python, [script, endpoint, ...args], { timeout })
  const urls = [...stdout.matchAll(/^sent to (.*)$/gm)].map(([, url]) => url ?? '')
  return { from: Number(/^from (\d+)$/m.exec(stdout)?.[1]), ids: urls.map(idOf) }
}

describe.skipIf(!hasTuspy).each(servedKinds)('tuspy against $name', { timeout }, (kind) => {
  const served = serve(kind)
  let directory: TemporaryDirectory
  let picture: Buffer
  let file: string

  beforeAll(async () => {
    directory = await temporaryDirectory()
    picture = await makePicture()
    file = await write('picture.png', picture)
  })
  afterAll(async () => {
    await directory?.[Symbol.asyncDispose]()
  })

  async function write(name: string, bytes: Buffer): Promise<string> {
    const path = join(directory.path, name)
    await writeFile(path, bytes)
    return path
  }

  it.each([
    ['in chunks', []],
    ['in one request', ['--chunk-size', '10000000']],
    ['in chunks with checksums', ['--checksum']],
    ['in one request with a checksum', ['--checksum', '--chunk-size', '10000000']],
  ])('sends a picture %s, though its connection is cut twice', async (_, args) => {
    // Connections are not used again: each of the first two is cut.
    const cutAfter = [250_000, 350_000] as const
    await using network = await startNetworkProxy(served.url, { cuts: 2, cutAfter })
    const { ids } = await tuspy(network.url, file, '--name', 'picture.png', ...args)
    expect(network.cuts, `seed ${network.seed}`).toBe(2)
    await expectPicture(served, ids[0] ?? '', picture, 'picture.png')
  })

  it.each([
    ['', []],
    [' with checksums', ['--checksum']],
  ])('goes on%s where an earlier run ended', async (suffix, args) => {
    const urls = join(directory.path, `urls${suffix}.json`)
    const first = await tuspy(served.url, file, '--urls', urls, '--stop-at', '900000', ...args)
    expect(first.from).toBe(0)
    const [id = ''] = first.ids
    expect(await served.api.upload(id)).toMatchObject({ state: 'receiving', offset: 900_000 })
    const second = await tuspy(served.url, file, '--urls', urls, ...args)
    expect(second).toEqual({ from: 900_000, ids: [id] })
    await expectPicture(served, id, picture, null)
  })

  it('sends a chunk again that was damaged on its way, as it says what is in it', async () => {
    let chunks = 0
    await using network = await startHttpProxy(served.url, ({ method }) => {
      if (method !== 'PATCH') return undefined
      chunks += 1
      return [1, 4].includes(chunks) ? 'damage body' : undefined
    })
    const { ids } = await tuspy(network.url, file, '--name', 'picture.png', '--checksum')
    await expectPicture(served, ids[0] ?? '', picture, 'picture.png')
    expect(chunks).toBe(Math.ceil(picture.length / 400_000) + 2)
  })

  it('sends several files at once', async () => {
    const pictures = [picture, await makePicture(), await makePicture()]
    const files = await Promise.all(pictures.map((bytes, i) => write(`at-once-${i}.png`, bytes)))
    const { ids } = await tuspy(served.url, ...files, '--name', 'same.png', '--checksum')
    expect(ids).toHaveLength(pictures.length)
    for (const [i, bytes] of pictures.entries()) {
      await expectPicture(served, ids[i] ?? '', bytes, 'same.png')
    }
  })

  it('sends a file without bytes and without a name', async () => {
    const { ids } = await tuspy(served.url, await write('empty', Buffer.alloc(0)))
    await expectContent(served.api, ids[0] ?? '', Buffer.alloc(0))
  })
})
