import type { Browser, BrowserContext, Page } from 'playwright-core'

/** What the page sets for @uppy/tus, whose types cannot be had here: they take Node for a browser. */
export interface PageOptions {
  readonly chunkSize?: number
  readonly parallelUploads?: number
  readonly retryDelays?: readonly number[]
  readonly protocol?: 'ietf-draft-03' | 'ietf-draft-05'
  /** Whether the page remembers its files, too, and not only where it uploads to. */
  readonly keepsFiles?: boolean
}

/** What became of the files. */
export interface Outcome {
  readonly successful: readonly { readonly name: string; readonly url: string }[]
  readonly failed: readonly {
    readonly name: string
    readonly error: string
    /** The status and the text of the answer, as the page could read it. */
    readonly status: number
    readonly text: string
  }[]
}

export interface SeenAnswer {
  readonly method: string
  readonly status: number
  /** What came with Upload-Offset; NaN without it. */
  readonly offset: number
}

/** An application's page in a browser that knows nothing of earlier ones. */
export class UploadingPage implements AsyncDisposable {
  /** What the server answered to the page. */
  readonly answers: SeenAnswer[] = []
  readonly #context: BrowserContext
  readonly #page: Page

  private constructor(context: BrowserContext, page: Page) {
    this.#context = context
    this.#page = page
    page.on('response', (response) => {
      const [method, status] = [response.request().method(), response.status()]
      const offset = Number.parseInt(response.headers()['upload-offset'] ?? '', 10)
      this.answers.push({ method, status, offset })
    })
  }

  /** Opens the page of `application`, which uploads to `server`. */
  static async open(
    browser: Browser,
    application: string,
    server: string,
    options: PageOptions = {},
  ): Promise<UploadingPage> {
    const context = await browser.newContext()
    const page = new UploadingPage(context, await context.newPage())
    const url = new URL(application)
    const endpoint = new URL('/files', server).href
    url.searchParams.set('options', JSON.stringify({ endpoint, ...options }))
    await page.#page.goto(url.href)
    return page
  }

  async add(paths: readonly string[]): Promise<void> {
    await this.#page.setInputFiles('input', [...paths])
  }

  /** Sends all files that were added. */
  send(): Promise<Outcome> {
    return this.#page.evaluate<Outcome>('uploads.send()')
  }

  pause(): Promise<void> {
    return this.#page.evaluate<void>('uploads.pause()')
  }

  resume(): Promise<void> {
    return this.#page.evaluate<void>('uploads.resume()')
  }

  /** Whether what the page needs to go on would survive its end. */
  isKept(): Promise<boolean> {
    return this.#page.evaluate<boolean>('uploads.isKept()')
  }

  async reload(): Promise<void> {
    await this.#page.reload()
  }

  /** After a reload: sends what was left. */
  async restore(): Promise<Outcome> {
    await this.#page.evaluate('uploads.restore()')
    return this.#page.evaluate<Outcome>('uploads.completed()')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#context.close()
  }
}
