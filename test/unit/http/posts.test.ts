import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { Principal } from '../../../src/auth/principal.ts'
import { createLinks } from '../../../src/http/links.ts'
import { commentSchema, postSchema } from '../../../src/http/post-schemas.ts'
import { createPostViews } from '../../../src/http/post-views.ts'
import { pageOf } from '../../../src/http/schemas.ts'
import { createViews } from '../../../src/http/views.ts'
import { newId } from '../../../src/ids.ts'
import { renditionOf, testApp } from '../../support/app.ts'
import { databaseTargets, type TestDatabase } from '../../support/databases.ts'
import { someImage } from '../../support/posts.ts'
import { type StorageUnderTest, startDisk } from '../../support/storage.ts'

const posts = pageOf(postSchema)
const code = async (response: Response) =>
  z.object({ code: z.string() }).parse(await response.json()).code

describe.each(databaseTargets)('posts and comments on $name', (target) => {
  let test: TestDatabase
  let disk: StorageUnderTest
  let app: ReturnType<typeof testApp>

  beforeAll(async () => {
    test = await target.create()
    disk = await startDisk()
    app = testApp(test.database, disk.storage, {
      // Who asks says who they are.
      authenticator: { authenticate: async (given) => principalOf(given ?? 'ann') },
    })
  })
  afterAll(async () => {
    await disk.close()
    await test.cleanup()
  })

  const ask = (method: string, path: string, body?: unknown, user = 'ann') =>
    app.request(path, {
      method,
      headers: { Authorization: user, ...(body !== undefined && json) },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
  const image = (given: Parameters<typeof someImage>[1] = {}) =>
    someImage(test.database, { owner: 'ann', ...given })
  const post = async (caption = 'a caption', imageId?: string) => {
    const response = await ask('POST', '/v1/posts', {
      imageId: imageId ?? (await image()),
      caption,
    })
    expect(response.status).toBe(201)
    return postSchema.parse(await response.json())
  }
  const say = async (postId: string, text: string, user = 'bob') => {
    const response = await ask('POST', `/v1/posts/${postId}/comments`, { text }, user)
    expect(response.status).toBe(201)
    return commentSchema.parse(await response.json())
  }
  const read = async (id: string, query = '', user = 'bob') => {
    const response = await ask('GET', `/v1/posts/${id}${query}`, undefined, user)
    return postSchema.parse(await response.json())
  }
  /** All posts there are, from pages that each begin where the one before ended. */
  const all = async (query: string) => {
    const found: z.infer<typeof postSchema>[] = []
    for (let cursor: string | null = ''; cursor !== null; ) {
      const response = await ask('GET', `/v1/posts?${query}${cursor && `&cursor=${cursor}`}`)
      const page = posts.parse(await response.json())
      found.push(...page.items)
      cursor = page.nextCursor
    }
    return found
  }

  it('says where a post is by what clients call the server', async () => {
    const links = createLinks('https://files.example/landfall')
    const named = testApp(test.database, disk.storage, {
      authenticator: { authenticate: async () => principalOf('ann') },
      postViews: createPostViews(links, createViews(links)),
    })
    const body = JSON.stringify({ imageId: await image(), caption: '' })
    const response = await named.request('/v1/posts', { method: 'POST', headers: json, body })
    const { id } = postSchema.parse(await response.json())
    const location = `https://files.example/landfall/v1/posts/${id}`
    expect(response.headers.get('Location')).toBe(location)
    expect((await ask('DELETE', `/v1/posts/${id}`)).status).toBe(204)
  })

  it('shows an image to everybody, with what may be seen of it', async () => {
    const imageId = await image({
      ...{ state: 'ready', width: 800, height: 500, thumbhash: '3OcR', color: '#123456' },
      ...{ filename: 'secret.jpg', sha256: 'ab', exif: '{"Image":{"Model":"X"}}' },
    })
    await renditionOf(test.database, disk.storage, imageId, 'thumb', 'webp')
    for (const format of ['webp', 'avif']) {
      await renditionOf(test.database, disk.storage, imageId, 'large', format, { width: 2048 })
    }
    const response = await ask('POST', '/v1/posts', { imageId, caption: ' Zoë\n' })
    expect(response.status).toBe(201)
    const made = postSchema.parse(await response.json())
    expect(response.headers.get('Location')).toBe(`/v1/posts/${made.id}`)
    const urls = ['thumb', 'large?format=avif', 'large?format=webp']
    expect(made).toMatchObject({
      author: { id: 'ann', avatarUrl: '/v1/users/ann/avatar' },
      ...{ caption: ' Zoë\n', commentCount: 0, comments: [] },
      image: {
        ...{ id: imageId, state: 'ready', width: 800, height: 500 },
        ...{ thumbhash: '3OcR', color: '#123456' },
        renditions: urls.map((url) => ({ frames: 1, url: `/v1/images/${imageId}/${url}` })),
      },
    })
    expect(await read(made.id)).toEqual(made)
    const shown = z.record(z.string(), z.unknown()).parse(made.image)
    for (const secret of ['filename', 'sha256', 'exif', 'contentUrl']) {
      expect(shown).not.toHaveProperty(secret)
    }
    expect((await ask('GET', `/v1/images/${imageId}`, undefined, 'bob')).status).toBe(200)
  })

  it('takes an image that is being converted, and shows what became of it', async () => {
    const imageId = await image()
    const { id, image: first } = await post('soon', imageId)
    expect(first).toMatchObject({ state: 'processing', width: null, renditions: [] })
    const failed = {
      state: 'failed',
      error_code: 'corrupt-image',
      error_message: 'Cut off.',
    } as const
    await test.database.queries
      .updateTable('images')
      .set(failed)
      .where('id', '=', imageId)
      .execute()
    const error = { code: 'corrupt-image', message: 'Cut off.' }
    expect((await read(id)).image).toMatchObject({ state: 'failed', error })
    const ready = { state: 'ready', error_code: null, width: 8 } as const
    await test.database.queries.updateTable('images').set(ready).where('id', '=', imageId).execute()
    await renditionOf(test.database, disk.storage, imageId, 'thumb', 'webp')
    const { state, width, renditions } = (await read(id)).image
    expect({ state, width, renditions: renditions.length }).toEqual({
      ...{ state: 'ready', width: 8, renditions: 1 },
    })
    const made = { revision: 2 }
    await test.database.queries
      .updateTable('renditions')
      .set(made)
      .where('image_id', '=', imageId)
      .execute()
    expect((await read(id)).image.renditions[0]?.url).toContain('v=2')
  })

  it('takes nobody else’s image, and none that is not there', async () => {
    for (const imageId of [await image({ owner: 'bob' }), newId()]) {
      const response = await ask('POST', '/v1/posts', { imageId, caption: '' })
      expect([response.status, await code(response)]).toEqual([404, 'image-not-found'])
    }
  })

  const emoji = '\u{1F600}'

  it.each([
    ['2,200 characters of one unit', 'x'.repeat(2_200), 201],
    ['2,200 characters of two units', emoji.repeat(2_200), 201],
    ['2,201 characters', 'x'.repeat(2_201), 400],
    ['2,201 characters, the last of two units', 'x'.repeat(2_200) + emoji, 400],
    ['a NUL', 'a\0b', 400],
    ['half a character', 'a\ud800', 400],
    ['one blank', ' ', 201],
    ['what is not composed', 'Zoe\u0308', 201],
  ])('counts characters and keeps them: %s', async (_, text, status) => {
    const { id } = await post('')
    const imageId = await image()
    const posted = await ask('POST', '/v1/posts', { imageId, caption: text })
    const said = await ask('POST', `/v1/posts/${id}/comments`, { text })
    expect([posted.status, said.status]).toEqual([status, status])
    if (status === 201) {
      expect(postSchema.parse(await posted.json()).caption).toBe(text)
      expect(commentSchema.parse(await said.json()).text).toBe(text)
      expect((await read(id)).comments[0]?.text).toBe(text)
    } else expect(await code(said)).toBe('bad-request')
  })

  it('wants a comment to say something', async () => {
    const { id } = await post()
    expect((await ask('POST', `/v1/posts/${id}/comments`, { text: '' })).status).toBe(400)
  })

  it.each([
    ['no JSON', '{', 400],
    ['nothing', {}, 400],
    ['an image that can be none', { imageId: '1', caption: '' }, 400],
    ['far too much', { imageId: newId(), caption: 'x'.repeat(2 ** 16) }, 413],
  ])('refuses %s', async (_, body, status) => {
    expect((await ask('POST', '/v1/posts', body)).status).toBe(status)
  })

  it('refuses a body that is no JSON by its type', async () => {
    const response = await app.request('/v1/posts', { method: 'POST', body: '{}' })
    expect(response.status).toBe(415)
  })

  it('lists the newest first, a page at a time, each with its latest comments', async () => {
    const made: string[] = []
    for (let n = 0; n < 5; n += 1) made.unshift((await post(`post ${n}`)).id)
    const [, second = ''] = made
    for (const text of ['one', 'two', 'three']) await say(second, text)
    const first = posts.parse(await (await ask('GET', '/v1/posts?limit=2')).json())
    expect(first.items.map(({ id }) => id)).toEqual(made.slice(0, 2))
    expect(first.items[1]).toMatchObject({
      commentCount: 3,
      comments: [
        { text: 'three', postId: second, author: { id: 'bob' } },
        { text: 'two', author: { avatarUrl: '/v1/users/bob/avatar' } },
      ],
    })
    // What is new does not move the next page.
    await post('newer')
    const next = await ask('GET', `/v1/posts?limit=2&comments=0&cursor=${first.nextCursor}`)
    expect(posts.parse(await next.json()).items.map(({ id }) => id)).toEqual(made.slice(2, 4))
    expect((await read(second, '?comments=10')).comments.map(({ text }) => text)).toEqual([
      ...['three', 'two', 'one'],
    ])
    expect((await read(second, '?comments=0')).comments).toEqual([])
  })

  it('lists those with most comments first, and among them the newest', async () => {
    for (const count of [2, 0, 2, 1]) {
      const { id } = await post()
      for (let n = 0; n < count; n += 1) await say(id, 'x')
    }
    const seen = await all('sort=comments&limit=3&comments=0')
    const newest = await all('limit=100')
    expect(seen.map(({ id }) => id)).toEqual(
      newest.toSorted((a, b) => b.commentCount - a.commentCount).map(({ id }) => id),
    )
  })

  it('refuses the cursors of another order, and those it did not give out', async () => {
    await post()
    await post()
    const cursorOf = async (sort: string) =>
      posts.parse(await (await ask('GET', `/v1/posts?limit=1&sort=${sort}`)).json()).nextCursor ??
      ''
    const [newest, comments] = [await cursorOf('newest'), await cursorOf('comments')]
    const forged = (text: string) => Buffer.from(text).toString('base64url')
    for (const [sort, cursor] of [
      ['newest', comments],
      ['comments', newest],
      ['newest', `${newest}!`],
      ['newest', `${newest}=`],
      ['comments', forged(`99999999999 ${newId()}`)],
      ['comments', forged(`2147483648 ${newId()}`)],
      ['comments', forged(`-1 ${newId()}`)],
      ['comments', forged(`01 ${newId()}`)],
      ['comments', forged(`1 ${newId()}\n`)],
      ['comments', forged('1 \0')],
    ]) {
      const response = await ask('GET', `/v1/posts?sort=${sort}&cursor=${cursor}`)
      expect([cursor, response.status, await code(response)]).toEqual([cursor, 400, 'bad-cursor'])
    }
  })

  it.each(['limit=0', 'limit=101', 'comments=11', 'comments=-1', 'sort=oldest', 'limit=x'])(
    'refuses %s',
    async (query) => {
      expect((await ask('GET', `/v1/posts?${query}`)).status).toBe(400)
    },
  )

  it('lists all comments of a post, latest first, a page at a time', async () => {
    const { id } = await post()
    for (const text of ['one', 'two', 'three']) await say(id, text)
    const list = async (query: string) => {
      const response = await ask('GET', `/v1/posts/${id}/comments?${query}`)
      return pageOf(commentSchema).parse(await response.json())
    }
    const first = await list('limit=2')
    expect(first.items.map(({ text }) => text)).toEqual(['three', 'two'])
    const rest = await list(`limit=2&cursor=${first.nextCursor}`)
    expect(rest).toMatchObject({ items: [{ text: 'one' }], nextCursor: null })
    expect(await (await ask('GET', `/v1/posts/${(await post()).id}/comments`)).json()).toEqual({
      ...{ items: [], nextCursor: null },
    })
  })

  it('has a comment deleted by who said it or an admin, and counts it no more', async () => {
    const { id } = await post()
    const [one, two] = [await say(id, 'one'), await say(id, 'two')]
    const remove = async (comment: { id: string }, user: string) => {
      return (await ask('DELETE', `/v1/comments/${comment.id}`, undefined, user)).status
    }
    // Not even by the post's author.
    expect(await remove(one, 'ann')).toBe(404)
    expect(await remove(one, 'bob')).toBe(204)
    expect(await read(id)).toMatchObject({ commentCount: 1, comments: [{ text: 'two' }] })
    expect(await remove(one, 'bob')).toBe(404)
    expect(await remove(two, 'admin')).toBe(204)
    expect(await read(id)).toMatchObject({ commentCount: 0, comments: [] })
  })

  it('has a post deleted by its author or an admin, and its comments at once', async () => {
    for (const user of ['ann', 'admin']) {
      const { id, image: shown } = await post()
      const comment = await say(id, 'x')
      const gone = [
        ['DELETE', `/v1/posts/${id}`, 'post-not-found'],
        ['GET', `/v1/posts/${id}`, 'post-not-found'],
        ['GET', `/v1/posts/${id}/comments`, 'post-not-found'],
        ['DELETE', `/v1/comments/${comment.id}`, 'comment-not-found'],
      ] as const
      const stranger = await ask('DELETE', `/v1/posts/${id}`, undefined, 'bob')
      expect([stranger.status, await code(stranger)]).toEqual([404, 'post-not-found'])
      expect((await ask('DELETE', `/v1/posts/${id}`, undefined, user)).status).toBe(204)
      for (const [method, path, expected] of gone) {
        const response = await ask(method, path, undefined, 'bob')
        expect([path, response.status, await code(response)]).toEqual([path, 404, expected])
      }
      const said = await ask('POST', `/v1/posts/${id}/comments`, { text: 'late' })
      expect([said.status, await code(said)]).toEqual([404, 'post-not-found'])
      // The image is its owner's again.
      expect((await ask('GET', `/v1/images/${shown.id}`, undefined, 'bob')).status).toBe(404)
      expect((await ask('GET', `/v1/images/${shown.id}`)).status).toBe(200)
    }
  })

  it.each([
    ['GET', '/v1/posts/1', 'post-not-found'],
    ['GET', '/v1/posts/x/comments', 'post-not-found'],
    ['DELETE', '/v1/comments/1', 'comment-not-found'],
  ])('knows nothing of what can be no id: %s %s', async (method, path, expected) => {
    const response = await ask(method, path)
    expect([response.status, await code(response)]).toEqual([404, expected])
  })
})

const json = { 'Content-Type': 'application/json' }

function principalOf(id: string): Principal {
  return { id, isAdmin: id === 'admin', isStorage: false }
}
