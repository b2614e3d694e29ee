import { randomUUID } from 'node:crypto'
import { expect, it } from 'vitest'
import { Api } from '../support/api.ts'
import { deploymentKinds } from '../support/deployments.ts'
import { makePhoto } from '../support/photo.ts'
import { uploadBuffer } from '../support/upload.ts'
import { waitFor } from '../support/wait.ts'

interface Comment {
  readonly id: string
  readonly text: string
}

interface Post {
  readonly id: string
  readonly commentCount: number
  readonly comments: readonly Comment[]
  readonly image: { readonly state: string; readonly renditions: readonly { url: string }[] }
}

interface Page<T> {
  readonly items: readonly T[]
  readonly nextCursor: string | null
}

it.each(deploymentKinds)(
  'people post pictures and talk about them on $name, and it is all there after a restart',
  async ({ create }) => {
    await using deployment = await create()
    const first = await deployment.start()
    let { url } = first
    const ask = async <T>(path: string, method = 'GET', body?: unknown) => {
      const headers = { 'Content-Type': 'application/json' }
      const sent = body === undefined ? {} : { body: JSON.stringify(body), headers }
      const response = await fetch(url + path, { method, ...sent })
      const text = await response.text()
      const answer = (text === '' ? undefined : JSON.parse(text)) as T
      return { status: response.status, location: response.headers.get('Location'), answer }
    }
    const read = async (id: string, query = '') =>
      (await ask<Post>(`/v1/posts/${id}${query}`)).answer
    const post = async (imageId: string, caption: string) => {
      const made = await ask<Post>('/v1/posts', 'POST', { imageId, caption })
      expect(made).toMatchObject({ status: 201, location: `/v1/posts/${made.answer.id}` })
      return made.answer.id
    }
    const upload = async (width: number) => {
      const photo = await makePhoto({ width, height: 480 })
      return (await uploadBuffer(url, photo, { filename: 'photo.jpg' })).id
    }

    // Before it is converted.
    const imageId = await upload(640)
    const quiet = await post(imageId, 'a caption')
    const ready = await waitFor(async () => {
      const { image } = await read(quiet)
      return image.state === 'ready' && image
    })
    const shown = await fetch(url + ready.renditions[0]?.url)
    expect(shown.headers.get('Content-Type')).toMatch(/^image\//)
    await shown.arrayBuffer()

    const other = await upload(650)
    const lively = await post(other, '\u{1F600}'.repeat(2_200))
    const latest = await post(other, '')
    const texts = Array.from({ length: 120 }, (_, n) => `comment ${n} \u{1F600}`)
    const said = await Promise.all(
      texts.map((text) => ask<Comment>(`/v1/posts/${lively}/comments`, 'POST', { text })),
    )
    expect(said.map(({ status, answer }) => [status, answer.text])).toEqual(
      texts.map((text) => [201, text]),
    )
    const list = async (query: string) => (await ask<Page<Post>>(`/v1/posts?${query}`)).answer
    expect((await list('')).items.map(({ id }) => id)).toEqual([latest, lively, quiet])
    const most = await list('sort=comments&limit=1&comments=3')
    expect(most.items).toMatchObject([{ id: lively, commentCount: 120 }])
    expect(most.items[0]?.comments).toHaveLength(3)
    const rest = await list(`sort=comments&cursor=${most.nextCursor}`)
    expect(rest.items.map(({ id }) => id)).toEqual([latest, quiet])
    expect((await ask(`/v1/posts?cursor=${most.nextCursor}`)).status).toBe(400)

    const gone = said[7]?.answer.id
    expect((await ask(`/v1/comments/${gone}`, 'DELETE')).status).toBe(204)
    expect((await ask(`/v1/comments/${gone}`, 'DELETE')).status).toBe(404)
    expect((await read(lively)).commentCount).toBe(119)

    await new Api(first).converted(other)
    expect((await first.kill()).signal).toBe('SIGKILL')
    const second = await deployment.start()
    url = second.url
    const seen: Comment[] = []
    for (let cursor: string | null = ''; cursor !== null; ) {
      const path = `/v1/posts/${lively}/comments?limit=50${cursor && `&cursor=${cursor}`}`
      const page: Page<Comment> = (await ask<Page<Comment>>(path)).answer
      seen.push(...page.items)
      cursor = page.nextCursor
    }
    expect(seen.map(({ text }) => text).toSorted()).toEqual(texts.toSpliced(7, 1).toSorted())
    expect((await read(lively)).comments).toEqual(seen.slice(0, 2))

    expect((await ask(`/v1/posts/${latest}`, 'DELETE')).status).toBe(204)
    expect((await new Api(second).converted(other)).state).toBe('ready')
    // An image takes along the posts that show it, and what was said about them.
    expect((await ask(`/v1/images/${other}`, 'DELETE')).status).toBe(204)
    expect((await list('')).items.map(({ id }) => id)).toEqual([quiet])
    for (const path of [`/v1/posts/${lively}`, `/v1/posts/${lively}/comments`]) {
      expect(await ask(path)).toMatchObject({ status: 404, answer: { code: 'post-not-found' } })
    }
    expect((await ask(`/v1/comments/${said[0]?.answer.id}`, 'DELETE')).status).toBe(404)
    expect((await ask('/v1/posts', 'POST', { imageId: other, caption: '' })).status).toBe(404)
    expect((await ask('/v1/posts', 'POST', { imageId: randomUUID(), caption: '' })).status).toBe(
      404,
    )
    const jobs = '/v1/admin/jobs?kind=comments.remove&state=done'
    await waitFor(async () => (await ask<Page<unknown>>(jobs)).answer.items.length === 1)
  },
  120_000,
)
