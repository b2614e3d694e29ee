import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type NetworkProxy, startNetworkProxy } from '../support/network-proxy.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../support/temporary-directory.ts'
import { idOf } from '../support/upload.ts'
import { waitFor } from '../support/wait.ts'
import { type Application, serveApplication } from './browser/application.ts'
import { findChromium, startChromium } from './browser/chromium.ts'
import { type Outcome, type PageOptions, UploadingPage } from './browser/uploading-page.ts'
import { expectPicture, makePicture, type Served, serve, servedKinds } from './support/served.ts'

const executable = findChromium()
if (!executable) console.log('skipped: Uppy in a browser, as there is no Chromium on the PATH')

const mebibyte = 1024 * 1024
const maximum = 8 * mebibyte
const timeout = 120_000

describe.skipIf(!executable)('Uppy in Chromium, in a page of another origin', { timeout }, () => {
  let browser: Browser
  let application: Application
  let directory: TemporaryDirectory

  beforeAll(async () => {
    directory = await temporaryDirectory()
    application = await serveApplication()
    browser = await startChromium(executable ?? '')
  })
  afterAll(async () => {
    await browser?.close()
    await application?.[Symbol.asyncDispose]()
    await directory?.[Symbol.asyncDispose]()
  })

  const open = (server: string, options?: PageOptions) =>
    UploadingPage.open(browser, application.url, server, options)

  /** Writes files for a page to pick. */
  async function files(contents: Readonly<Record<string, Buffer>>): Promise<string[]> {
    return Promise.all(
      Object.entries(contents).map(async ([name, content]) => {
        const path = join(directory.path, name)
        await writeFile(path, content)
        return path
      }),
    )
  }

  async function pictures(...names: readonly string[]): Promise<Record<string, Buffer>> {
    return Object.fromEntries(
      await Promise.all(names.map(async (name) => [name, await makePicture()] as const)),
    )
  }

  describe.each(servedKinds)('against $name', (kind) => {
    const served = serve(kind, { MAX_UPLOAD_SIZE: `${maximum}` })

    it.each<[name: string, options: PageOptions]>([
      ['whole', {}],
      ['in chunks', { chunkSize: 500_000 }],
      ['each in four parallel uploads', { parallelUploads: 4 }],
      ['by ietf-draft-05', { protocol: 'ietf-draft-05', chunkSize: 500_000 }],
    ])('sends several files at once, %s', async (_, options) => {
      const sent = await pictures('one.png', 'two.png', 'Straße am Meer.png')
      await using page = await open(served.url, options)
      await page.add(await files(sent))
      await expectSent(served, await page.send(), sent)
    })

    it('pauses and goes on where it stood', async () => {
      const sent = await pictures('paused.png')
      await using network = await silentNetwork(served)
      await using page = await open(network.url)
      await page.add(await files(sent))
      const sending = page.send()
      await network.silence()
      await page.pause()
      network.heal()
      await page.resume()
      await expectSent(served, await sending, sent)
      expectResumed(page, sent)
    })

    it('goes on after a reload, when the same file is added again', async () => {
      const sent = await pictures('reloaded.png')
      await using network = await silentNetwork(served)
      await using page = await open(network.url)
      const paths = await files(sent)
      await page.add(paths)
      const sending = page.send().catch(() => undefined)
      await network.silence()
      await page.reload()
      await sending
      network.heal()
      await page.add(paths)
      await expectSent(served, await page.send(), sent)
      expectResumed(page, sent)
    })

    it('goes on after a reload by itself, when it keeps its files', async () => {
      const sent = await pictures('kept.png')
      await using network = await silentNetwork(served)
      await using page = await open(network.url, { keepsFiles: true })
      await page.add(await files(sent))
      const sending = page.send().catch(() => undefined)
      await network.silence()
      await waitFor(() => page.isKept(), { what: 'the page to keep its files' })
      await page.reload()
      await sending
      network.heal()
      await expectSent(served, await page.restore(), sent)
      expectResumed(page, sent)
    })

    it('can read why a file is refused', async () => {
      await using page = await open(served.url)
      await page.add(await files({ 'large.bin': Buffer.alloc(maximum + 1) }))
      const { failed } = await page.send()
      expect(failed).toMatchObject([{ status: 413, text: expect.stringContaining(`${maximum}`) }])
    })
  })

  describe.each(servedKinds.slice(0, 1))('of which the program knows nothing', (kind) => {
    const served = serve(kind, { CORS_ORIGINS: 'https://app.example' })

    it('neither sends anything nor reads answers', async () => {
      await using page = await open(served.url, { retryDelays: [] })
      await page.add(await files(await pictures('foreign.png')))
      const { failed } = await page.send()
      expect(failed).toMatchObject([{ status: 0, text: '' }])
      expect((await served.api.uploads()).items).toEqual([])
    })
  })
})

/** A network on which every connection falls silent in the middle of a picture, until it heals. */
async function silentNetwork(
  served: Served,
): Promise<NetworkProxy & { silence(): Promise<unknown>; heal(): void }> {
  let isSilent = true
  const network = await startNetworkProxy(served.url, {
    plan: () => (isSilent ? { kind: 'stall', afterBytes: 700_000 } : undefined),
  })
  const silence = () =>
    waitFor(() => network.counts.get('stall'), { what: 'the middle of the upload' })
  // What the browser wrote to its connections goes with them.
  const heal = () => {
    isSilent = false
    network.cutNow()
  }
  return Object.assign(network, { silence, heal })
}

/** All files arrived, each as one picture under its name. */
async function expectSent(
  served: Served,
  { successful, failed }: Outcome,
  sent: Readonly<Record<string, Buffer>>,
): Promise<void> {
  expect(failed).toEqual([])
  expect(successful.map(({ name }) => name).sort()).toEqual(Object.keys(sent).sort())
  for (const { name, url } of successful) {
    await expectPicture(served, idOf(url), sent[name] ?? Buffer.alloc(0), name)
  }
}

/** The page created one upload, asked where it stood, and went on from there. */
function expectResumed({ answers }: UploadingPage, sent: Readonly<Record<string, Buffer>>): void {
  const of = (name: string, expected: number) =>
    answers.filter(({ method, status }) => method === name && status === expected)
  expect(of('POST', 201)).toHaveLength(1)
  const [size = 0] = Object.values(sent).map(({ length }) => length)
  const asked = of('HEAD', 200).at(-1)?.offset
  expect(asked).toBeGreaterThan(0)
  expect(asked).toBeLessThan(size)
  expect(of('PATCH', 204).at(-1)?.offset).toBe(size)
}
