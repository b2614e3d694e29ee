/** Imagegram: synchronous and asynchronous uploads, several instances, comments in bursts. */
import { beforeAll, describe, expect, it } from 'vitest'
import type { ImageView } from '../../support/api.ts'
import { deploymentKinds } from '../../support/deployments.ts'
import { makePhoto } from '../../support/photo.ts'
import { type Answer, type CommentView, Person, type Problem, step } from '../../support/story.ts'
import { testSecret, tokenOf } from '../../support/tokens.ts'

const timeoutMs = 180_000
const settings = { AUTH_JWT_SECRET: testSecret }

let picture: Buffer

beforeAll(async () => {
  picture = await makePhoto({ width: 640, height: 480 })
})

describe.each(deploymentKinds)('Imagegram on $name', ({ create }) => {
  it(
    'synchronous: upload, raw image to storage, conversion, database, answer',
    async () => {
      await using deployment = await create()
      const program = await deployment.start(settings)
      const user = new Person(program, await tokenOf('user'))
      const image = await step('1. The user uploads, and waits for the answer', async () => {
        const answer = await user.sendForm(picture, { query: '?wait=60' })
        expect(answer).toMatchObject({ status: 200, body: { state: 'ready' } })
        return answer.body
      })
      await step('2. The raw image is in storage', async () => {
        expect(await deployment.storedKeys()).toContainEqual(expect.stringContaining(image.id))
        const raw = await user.ask('GET', image.contentUrl ?? '')
        expect(raw.bytes.equals(picture)).toBe(true)
      })
      await step('3. It is converted, into several sizes and formats', async () => {
        expect(new Set(image.renditions.map(({ format }) => format)).size).toBeGreaterThan(1)
        expect(new Set(image.renditions.map(({ width }) => width)).size).toBeGreaterThan(1)
        for (const { url, size } of image.renditions) {
          const inPage = await new Person(program).ask('GET', url)
          expect(inPage.bytes).toHaveLength(size)
        }
      })
      await step('4. The database has what the answer said', async () => {
        const { renditions, ...facts } = await user.read<ImageView>(`/v1/images/${image.id}`)
        expect(image).toMatchObject(withoutUrls(facts))
        expect(renditions).toHaveLength(image.renditions.length)
      })
    },
    timeoutMs,
  )

  it(
    'asynchronous: answer at once, conversion in the background; then posts and comments',
    async () => {
      await using deployment = await create()
      const program = await deployment.start(settings)
      const user = new Person(program, await tokenOf('user'))
      const location = await step('1. The user uploads, and is answered at once', async () => {
        const answer = await user.sendForm(picture)
        expect(answer).toMatchObject({ status: 202, body: { state: 'processing' } })
        return answer.headers.get('Location') ?? ''
      })
      const id = location.split('/').at(-1) ?? ''
      await step('2. Conversion is triggered, and the user learns of its end', async () => {
        expect(await user.converted(id)).toMatchObject({ state: 'ready' })
      })
      const post = await step('3. The image is posted', async () => {
        const answer = await user.post(id, 'A sunset')
        expect(answer.status).toBe(201)
        return answer.body
      })
      await step('4. POST /comment {image_id, comment}', async () => {
        const other = new Person(program, await tokenOf('other'))
        expect(await other.comment(post.id, 'Where is that?')).toMatchObject({
          status: 201,
          body: { postId: post.id, author: { id: 'other' }, text: 'Where is that?' },
        })
      })
      await step('5. GET /post with limit and nextCursor', async () => {
        const second = await user.post(id, 'The same again')
        const first = await user.posts('?limit=1')
        expect(first.items).toMatchObject([{ id: second.body.id }])
        const next = await user.posts(`?limit=1&cursor=${first.nextCursor}`)
        expect(next.items).toMatchObject([
          { id: post.id, commentCount: 1, comments: [{ text: 'Where is that?' }] },
        ])
        expect(next.nextCursor).toBeNull()
      })
    },
    timeoutMs,
  )

  it(
    'a burst of comments loses none, and every one is counted',
    async () => {
      await using deployment = await create()
      const program = await deployment.start(settings)
      const user = new Person(program, await tokenOf('user'))
      const image = (await user.sendForm(picture)).body
      const post = (await user.post(image.id, 'The talk of the town')).body
      const texts = Array.from({ length: 200 }, (_, index) => `comment ${index}`)
      const answers = await step('1. Two hundred comments come at the same time', async () =>
        Promise.all(texts.map((text) => user.comment(post.id, text))),
      )
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]))
      await step('2. All of them are there once told so', async () => {
        expect(await allComments(user, post.id)).toEqual(texts.toSorted())
        expect((await user.posts()).items).toMatchObject([{ commentCount: texts.length }])
      })
      await step('3. A comment on what is not there fails alone', async () => {
        const nowhere = post.id.replace(/.{12}$/, '000000000000')
        const [good, bad] = await Promise.all([
          user.comment(post.id, 'late'),
          user.comment(nowhere, 'lost') as Promise<Answer<CommentView | Problem>>,
        ])
        expect(good.status).toBe(201)
        expect(bad).toMatchObject({ status: 404, body: { code: 'post-not-found' } })
      })
    },
    timeoutMs,
  )
})

const shared = deploymentKinds.filter(({ name }) => name === 's3 and postgres')

it.each(shared)(
  'Imagegram: several instances share one transactional database, on $name',
  async ({ create }) => {
    await using deployment = await create()
    const [one, two] = [await deployment.start(settings), await deployment.start(settings)]
    const token = await tokenOf('user')
    const [atOne, atTwo] = [new Person(one, token), new Person(two, token)]
    const id = await step('1. The load balancer sends the upload to one instance', async () => {
      const answer = await atOne.sendForm(picture)
      expect(answer.status).toBe(202)
      return answer.body.id
    })
    const post = await step('2. … the post to another, which knows the image', async () => {
      const answer = await atTwo.post(id, 'From the other side')
      expect(answer.status).toBe(201)
      return answer.body
    })
    await step('3. … and what follows to either; none sees less than the other', async () => {
      expect((await atOne.comment(post.id, 'first')).status).toBe(201)
      expect((await atTwo.comment(post.id, 'second')).status).toBe(201)
      for (const user of [atOne, atTwo]) {
        expect((await user.posts()).items).toMatchObject([
          { commentCount: 2, comments: [{ text: 'second' }, { text: 'first' }] },
        ])
      }
    })
    await step('4. One instance is taken away, and nothing is missed', async () => {
      await one.stop()
      expect(await atTwo.converted(id)).toMatchObject({ state: 'ready' })
    })
  },
  timeoutMs,
)

/** Signed URLs change with the hour. */
function withoutUrls({ contentUrl: _, ...facts }: Omit<ImageView, 'renditions'>) {
  return facts
}

/** Every text, sorted. */
async function allComments(user: Person, postId: string): Promise<string[]> {
  const texts: string[] = []
  let cursor: string | null = ''
  while (cursor !== null) {
    const query: string = cursor && `&cursor=${cursor}`
    const page: { items: CommentView[]; nextCursor: string | null } = await user.read(
      `/v1/posts/${postId}/comments?limit=70${query}`,
    )
    texts.push(...page.items.map(({ text }) => text))
    cursor = page.nextCursor
  }
  return texts.sort()
}
