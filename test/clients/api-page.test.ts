import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findChromium, startChromium } from './browser/chromium.ts'
import { serve, servedKinds } from './support/served.ts'

const executable = findChromium()
if (!executable) console.log('skipped: the page of the API, as there is no Chromium on the PATH')

const timeout = 120_000

describe.skipIf(!executable)('the page of the API in Chromium', { timeout }, () => {
  let browser: Browser

  beforeAll(async () => {
    browser = await startChromium(executable ?? '')
  })
  afterAll(() => browser?.close())

  describe.each(servedKinds.slice(0, 1))('on $name', (kind) => {
    const served = serve(kind)

    /** Opens the page, and notes what it asks for and complains of. */
    async function open() {
      const context = await browser.newContext()
      const page = await context.newPage()
      const [asked, complaints]: [string[], string[]] = [[], []]
      page.on('request', (request) => asked.push(request.url()))
      page.on('console', (message) => {
        if (['error', 'warning'].includes(message.type())) complaints.push(message.text())
      })
      page.on('pageerror', (error) => complaints.push(error.message))
      await page.goto(new URL('/docs', served.url).href)
      return {
        ...{ page, asked, complaints },
        [Symbol.asyncDispose]: () => context.close(),
      }
    }

    const operation = (page: Page, tag: string, name: string) =>
      page.locator(`#operations-${tag}-${name}`)

    it('shows every operation there is, and asks nobody else for anything', async () => {
      const description = await fetch(new URL('/openapi.json', served.url))
      const names = [...(await description.text()).matchAll(/"operationId":"(\w+)"/g)]
      await using opened = await open()
      const { page, asked, complaints } = opened
      await operation(page, 'Service', 'getConfig').waitFor()
      await expect.poll(() => page.locator('.opblock').count()).toBe(names.length)
      for (const [tag, name] of [
        ['Uploads', 'appendToUpload'],
        ['Images', 'getRendition'],
        ['Profiles', 'setAvatar'],
      ] as const) {
        const block = operation(page, tag, name)
        await block.locator('.opblock-summary-control').click()
        await block.locator('.responses-inner').waitFor()
      }
      expect(
        asked.filter((url) => !url.startsWith(served.url) && !url.startsWith('data:')),
      ).toEqual([])
      expect(complaints).toEqual([])
    })

    it('sends the token it was given', async () => {
      await using opened = await open()
      const { page, complaints } = opened
      const block = operation(page, 'Profiles', 'removeAvatar')
      await page.locator('.auth-wrapper .btn.authorize').click()
      const scheme = page.locator('.auth-container', { hasText: 'bearerAuth' })
      await scheme.locator('input').fill('a.b.c')
      await scheme.locator('.btn.authorize').click()
      await scheme.locator('.btn-done').click()
      await block.locator('.opblock-summary-control').click()
      await block.getByRole('button', { name: 'Try it out' }).click()
      const [request] = await Promise.all([
        page.waitForRequest('**/v1/me/avatar'),
        block.getByRole('button', { name: 'Execute' }).click(),
      ])
      expect(request.method()).toBe('DELETE')
      expect(await request.headerValue('Authorization')).toBe('Bearer a.b.c')
      expect(complaints).toEqual([])
    })

    it('tries one of them', async () => {
      await using opened = await open()
      const { page, asked, complaints } = opened
      const block = operation(page, 'Service', 'getConfig')
      await block.locator('.opblock-summary-control').click()
      await block.getByRole('button', { name: 'Try it out' }).click()
      await block.getByRole('button', { name: 'Execute' }).click()
      const answer = block.locator('.live-responses-table')
      await answer.waitFor()
      expect(await answer.textContent()).toContain('"uploadUrl": "/files"')
      expect(asked).toContain(new URL('/v1/config', served.url).href)
      expect(complaints).toEqual([])
    })
  })
})
