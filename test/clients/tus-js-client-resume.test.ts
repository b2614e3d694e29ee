import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Child } from '../support/child.ts'
import { startNetworkProxy } from '../support/network-proxy.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { idOf } from '../support/upload.ts'
import { waitFor } from '../support/wait.ts'
import { expectPicture, makePicture, serve, servedKinds } from './support/served.ts'

const script = join(import.meta.dirname, 'support/resuming-client.ts')

describe.each(servedKinds)('tus-js-client that keeps URLs, against $name', (kind) => {
  const served = serve(kind)

  it.each([
    ['one upload', 1],
    ['four parallel uploads', 4],
  ])('goes on with %s after it was killed in the middle', async (_, uploads) => {
    const picture = await makePicture()
    await using directory = await temporaryDirectory()
    const [file, urls] = [join(directory.path, 'picture.png'), join(directory.path, 'urls.json')]
    await writeFile(file, picture)
    // Every connection falls silent in its second chunk, before any upload can be complete.
    let isFirstRun = true
    await using network = await startNetworkProxy(served.url, {
      plan: () => (isFirstRun ? { kind: 'stall', afterBytes: 120_000 } : undefined),
    })
    const run = () => {
      const endpoint = `${network.url}/files`
      return new Child({ args: [script, endpoint, file, urls, `${uploads}`], env: {} })
    }

    await using first = run()
    const stalled = () => network.counts.get('stall') === uploads
    await waitFor(stalled, { what: 'the middle of the upload' })
    await waitFor(async () => (await storedUrls(urls)) > 0, { what: 'the URLs to be kept' })
    await first.kill('SIGKILL')
    isFirstRun = false
    network.flow()

    await using second = run()
    expect(await second.exited, second.stderr).toEqual({ code: 0, signal: null })
    const answers = second.stdout.split('\n')
    expect(answers.filter((line) => line.startsWith('HEAD 200'))).toHaveLength(uploads)
    expect(answers.filter((line) => /^HEAD 200 [1-9]/.test(line)).length).toBeGreaterThan(0)
    const created = answers.filter((line) => line.startsWith('POST 201'))
    expect(created).toHaveLength(uploads === 1 ? 0 : 1)
    const url = /^sent to (.*)$/m.exec(second.stdout)?.[1] ?? ''
    await expectPicture(served, idOf(url), picture, 'picture.png')
    expect(await storedUrls(urls)).toBe(0)
  })
})

/** How many uploads a file of URLs holds; it is not there before the first. */
async function storedUrls(path: string): Promise<number> {
  try {
    return Object.keys(JSON.parse(await readFile(path, 'utf8'))).length
  } catch {
    return 0
  }
}
