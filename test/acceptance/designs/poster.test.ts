/** The poster API, with what its author wrote down as its limits and as still to do. */
import { hc } from 'hono/client'
import type { Api } from 'landfall/client'
import { beforeAll, describe, expect, it } from 'vitest'
import type { ImageView } from '../../support/api.ts'
import { deploymentKinds } from '../../support/deployments.ts'
import { makePhoto } from '../../support/photo.ts'
import type { Program } from '../../support/program.ts'
import { Person, type PostView, step } from '../../support/story.ts'
import { bearer, inSeconds, testSecret, tokenOf } from '../../support/tokens.ts'
import { tusHeaders } from '../../support/tus-requests.ts'
import { waitFor } from '../../support/wait.ts'

const timeoutMs = 180_000
const settings = { AUTH_JWT_SECRET: testSecret }

let picture: Buffer
let author: Person
let reader: Person

beforeAll(async () => {
  picture = await makePhoto({ width: 640, height: 480 })
})

const begin = async (program: Program): Promise<void> => {
  author = new Person(program, await tokenOf('author'))
  reader = new Person(program, await tokenOf('reader'))
}

const typedClients = async (program: Program) => {
  const clientOf = async (name: string) =>
    hc<Api>(program.url, { headers: bearer(await tokenOf(name)) }).v1
  return { api: await clientOf('author'), asReader: await clientOf('reader') }
}

const publish = async (caption: string): Promise<PostView> => {
  const { body } = await author.sendForm(picture)
  const answer = await author.post(body.id, caption)
  expect(answer.status).toBe(201)
  return answer.body
}

describe.each(deploymentKinds)('the poster API on $name', ({ create }) => {
  it(
    'create a post: one upload, and the post appears',
    async () => {
      await using deployment = await create()
      const program = await deployment.start(settings)
      await begin(program)

      await step('0. An authorizer, in place of a user-id header', async () => {
        const headers = { 'user-id': 'author', 'x-user-id': 'author' }
        for (const path of ['/v1/posts', '/v1/images']) {
          const nobody = await new Person(program).ask('GET', path, { headers })
          expect(nobody).toMatchObject({ status: 401, body: { code: 'token-required' } })
        }
      })
      const image = await step('1. The picture is uploaded, and that is all', async () => {
        const answer = await author.sendForm(picture, { filename: 'secret name.jpg' })
        expect(answer.status).toBe(202)
        return answer.body
      })
      const post = await step('2. The post is made of it, be it converted or not', async () => {
        const answer = await author.ask<PostView>('POST', '/v1/posts', {
          json: { imageId: image.id, caption: 'At the sea' },
          headers: { 'user-id': 'reader' },
        })
        expect(answer).toMatchObject({
          status: 201,
          body: { author: { id: 'author' }, caption: 'At the sea', commentCount: 0, comments: [] },
        })
        expect(answer.headers.get('Location')).toContain(`/v1/posts/${answer.body.id}`)
        return answer.body
      })
      await step('3. In the background the post gets its pictures', async () => {
        const look = async () => {
          const { image } = await reader.read<PostView>(`/v1/posts/${post.id}`)
          return image.state !== 'processing' && image
        }
        const shown = await waitFor(look, { timeoutMs: 120_000, what: 'the picture of the post' })
        expect(shown).toMatchObject({ id: image.id, state: 'ready', width: 640, height: 480 })
        for (const { url } of shown.renditions) {
          const inPage = await new Person(program).ask('GET', url)
          expect(inPage.headers.get('Content-Type')).toMatch(/^image\//)
        }
      })
      await step('4. Readers see the picture, and nothing else of the file', async () => {
        expect(await reader.read<ImageView>(`/v1/images/${image.id}`)).toMatchObject({
          ...{ filename: null, exif: null, sha256: null, contentUrl: null },
        })
        const original = await reader.ask('GET', `/v1/uploads/${image.id}/content`)
        expect(original.status).toBe(404)
        const taken = await reader.post(image.id, 'mine now')
        expect(taken).toMatchObject({ status: 404, body: { code: 'image-not-found' } })
      })
      await step('5. Its author deletes it, and nobody else', async () => {
        const path = `/v1/posts/${post.id}`
        expect((await reader.ask('DELETE', path)).status).toBe(404)
        expect((await author.ask('DELETE', path)).status).toBe(204)
        expect((await reader.ask('GET', path)).status).toBe(404)
        expect((await reader.ask('GET', `/v1/images/${image.id}`)).status).toBe(404)
      })
    },
    timeoutMs,
  )

  it(
    'comments: create, delete; the post carries its latest',
    async () => {
      await using deployment = await create()
      const program = await deployment.start(settings)
      await begin(program)
      const { api, asReader } = await typedClients(program)
      const post = await publish('Six comments')
      const comments: string[] = []
      await step('1. Create, with a client that knows the types', async () => {
        const param = { id: post.id }
        for (const text of ['one', 'two', 'three', 'four', 'five', 'six']) {
          const answer = await asReader.posts[':id'].comments.$post({ param, json: { text } })
          if (!answer.ok) throw new Error(`it was refused: ${(await answer.json()).code}`)
          const comment = await answer.json()
          expect(comment).toMatchObject({ postId: post.id, text, author: { id: 'reader' } })
          comments.push(comment.id)
        }
      })
      const latest = async (comments?: number) => {
        const answer = await api.posts.$get({ query: comments === undefined ? {} : { comments } })
        if (!answer.ok) throw new Error(`they are ${(await answer.json()).code}`)
        const { items } = await answer.json()
        return items.map(({ commentCount, comments }) => ({
          commentCount,
          texts: comments.map(({ text }) => text),
        }))
      }
      await step('2. The post carries its latest 2', async () => {
        expect(await latest()).toEqual([{ commentCount: 6, texts: ['six', 'five'] }])
      })
      await step('3. … and “2” is easy to change', async () => {
        const texts = ['six', 'five', 'four', 'three', 'two']
        expect(await latest(5)).toEqual([{ commentCount: 6, texts }])
        expect(await latest(0)).toEqual([{ commentCount: 6, texts: [] }])
        const one = await author.read<PostView>(`/v1/posts/${post.id}?comments=1`)
        expect(one.comments).toMatchObject([{ text: 'six' }])
      })
      await step('4. Delete: who said it, and nobody else', async () => {
        const param = { id: comments.at(-1) ?? '' }
        const refused = await api.comments[':id'].$delete({ param })
        if (refused.status !== 404) throw new Error('it was not refused')
        expect((await refused.json()).code).toBe('comment-not-found')
        expect((await asReader.comments[':id'].$delete({ param })).status).toBe(204)
        expect((await asReader.comments[':id'].$delete({ param })).status).toBe(404)
        expect(await latest()).toEqual([{ commentCount: 5, texts: ['five', 'four'] }])
      })
    },
    timeoutMs,
  )

  it(
    'list: posts with their latest comments, page by page',
    async () => {
      await using deployment = await create()
      await begin(await deployment.start(settings))
      const posts: PostView[] = []
      for (const caption of ['first', 'second', 'third']) posts.push(await publish(caption))
      const [first, second, third] = posts
      for (const post of [second, second, first]) await reader.comment(post?.id ?? '', 'Nice')
      const captions = async (query: string) => {
        const seen: string[][] = []
        let cursor: string | null = ''
        while (cursor !== null) {
          const from: string = cursor && `&cursor=${encodeURIComponent(cursor)}`
          const page = await reader.posts(`?limit=2${query}${from}`)
          seen.push(page.items.map(({ caption }) => caption))
          cursor = page.nextCursor
        }
        return seen
      }
      await step('1. Newest first', async () => {
        expect(await captions('')).toEqual([['third', 'second'], ['first']])
      })
      await step('2. By the number of comments', async () => {
        expect(await captions('&sort=comments')).toEqual([['second', 'first'], ['third']])
      })
      await step('3. A picture that goes takes its post along', async () => {
        const path = `/v1/images/${third?.image.id}`
        expect((await author.ask('DELETE', path)).status).toBe(204)
        expect(await captions('')).toEqual([['second', 'first']])
      })
    },
    timeoutMs,
  )

  it(
    'its limits: a caption may be longer than 2 KB, and a comment as well',
    async () => {
      await using deployment = await create()
      await begin(await deployment.start(settings))
      const { body: image } = await author.sendForm(picture)
      const longest = '🌊'.repeat(2_200)
      const post = await step('1. 2,200 characters, which are 8,800 bytes', async () => {
        const answer = await author.post(image.id, longest)
        expect(answer).toMatchObject({ status: 201, body: { caption: longest } })
        expect(await reader.comment(answer.body.id, longest)).toMatchObject({ status: 201 })
        return answer.body
      })
      await step('2. They come back as they were', async () => {
        const { items } = await reader.posts()
        expect(items).toMatchObject([{ caption: longest, comments: [{ text: longest }] }])
      })
      await step('3. One character more is too long, and is said to be', async () => {
        expect((await author.post(image.id, `${longest}.`)).status).toBe(400)
        expect((await reader.comment(post.id, `${longest}.`)).status).toBe(400)
        expect((await reader.comment(post.id, '')).status).toBe(400)
        expect((await author.post(image.id, '')).status).toBe(201)
      })
    },
    timeoutMs,
  )

  it(
    'unstable connections: what broke off goes on where it stopped',
    async () => {
      await using deployment = await create()
      const program = await deployment.start(settings)
      await begin(program)
      const half = Math.floor(picture.length / 2)
      const patch = (person: Person, path: string, from: number, body: Buffer) =>
        person.ask('PATCH', path, {
          body,
          headers: {
            ...tusHeaders,
            'Content-Type': 'application/offset+octet-stream',
            'Upload-Offset': String(from),
          },
        })
      const path = await step('1. The client begins, and sends the first half', async () => {
        const headers = { ...tusHeaders, 'Upload-Length': String(picture.length) }
        const begun = await author.ask('POST', '/files', { headers })
        expect(begun.status).toBe(201)
        const path = begun.headers.get('Location') ?? ''
        expect((await patch(author, path, 0, picture.subarray(0, half))).status).toBe(204)
        return path
      })
      const late = new Person(program, await tokenOf('author', { exp: inSeconds(-300) }))
      await step('2. Its connection breaks; it asks where it stands', async () => {
        const head = await late.ask('HEAD', path, { headers: tusHeaders })
        expect(head.headers.get('Upload-Offset')).toBe(String(half))
      })
      await step('3. It goes on, though its token ran out in the meantime', async () => {
        expect((await patch(late, path, half, picture.subarray(half))).status).toBe(204)
      })
      await step('4. The post is made with a new token', async () => {
        const id = new URL(path, program.url).pathname.split('/').at(-1) ?? ''
        expect(await late.post(id, 'too late')).toMatchObject({
          status: 401,
          body: { code: 'token-expired' },
        })
        expect((await author.post(id, 'At last')).status).toBe(201)
        expect((await author.converted(id)).state).toBe('ready')
      })
    },
    timeoutMs,
  )
})
