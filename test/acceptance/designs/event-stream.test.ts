/**
 * The event-stream design. Its topic, its warehouse, its alerts and its seven days are not in this
 * release; what they make happen to an image is.
 */
import { beforeAll, describe, expect, it } from 'vitest'
import type { ImageView } from '../../support/api.ts'
import { deploymentKinds } from '../../support/deployments.ts'
import { makePhoto } from '../../support/photo.ts'
import { Person, step, type UploadLinkView } from '../../support/story.ts'
import { testSecret, tokenOf } from '../../support/tokens.ts'
import { putByLink, s3Notification } from '../../support/upload-link.ts'

const timeoutMs = 180_000
const settings = { AUTH_JWT_SECRET: testSecret }

let picture: Buffer

beforeAll(async () => {
  picture = await makePhoto({ width: 800, height: 600 })
})

describe.each(deploymentKinds)('the event-stream design on $name', ({ create }) => {
  it(
    'unique ids and permissions: nothing is doubled, overwritten, or anybody else’s',
    async () => {
      await using deployment = await create()
      const program = await deployment.start(settings)
      const user = new Person(program, await tokenOf('user'))
      const stranger = new Person(program, await tokenOf('stranger'))

      const image = await step('1. A user uploads by the API', async () => {
        const answer = await user.sendForm(picture, { query: '?wait=60' })
        expect(answer).toMatchObject({ status: 200, body: { state: 'ready' } })
        return answer.body
      })
      await step('2. Raw and processed images are kept apart', async () => {
        const keys = await deployment.storedKeys()
        const raw = keys.filter((key) => key.endsWith(image.id))
        expect(raw).toHaveLength(1)
        const place = raw[0]?.split('/').at(0) ?? ''
        const processed = keys.filter((key) => !key.startsWith(`${place}/`))
        expect(processed).toHaveLength(image.renditions.length)
      })
      const twin = await step(
        '3. The same picture under the same name overwrites none',
        async () => {
          const answer = await user.sendForm(picture, { query: '?wait=60' })
          expect(answer.body).toMatchObject({ state: 'ready', sha256: image.sha256 })
          expect(answer.body.id).not.toBe(image.id)
          return answer.body
        },
      )
      await step('4. A repeated request doubles none', async () => {
        const headers = { 'Idempotency-Key': 'one-and-the-same', 'Content-Type': 'image/jpeg' }
        const send = () =>
          user.ask<ImageView>('POST', '/v1/images?wait=60', { body: picture, headers })
        const [first, second] = [await send(), await send()]
        expect(second.body.id).toBe(first.body.id)
      })
      await step('5. What goes takes nothing else with it', async () => {
        expect((await user.ask('DELETE', `/v1/images/${image.id}`)).status).toBe(204)
        for (const { url } of twin.renditions) {
          expect((await user.ask('GET', url)).status).toBe(200)
        }
        const original = await user.ask('GET', twin.contentUrl ?? '')
        expect(original.bytes.equals(picture)).toBe(true)
      })
      await step('6. Permissions: a stranger reaches none of it', async () => {
        const path = `/v1/images/${twin.id}`
        expect((await stranger.ask('GET', path)).status).toBe(404)
        expect((await stranger.ask('DELETE', path)).status).toBe(404)
        expect((await stranger.ask('GET', `/v1/uploads/${twin.id}/content`)).status).toBe(404)
        expect((await user.ask('GET', path)).status).toBe(200)
      })
    },
    timeoutMs,
  )
})

const shared = deploymentKinds.filter(({ name }) => name === 's3 and postgres')

describe.each(shared)('the event-stream design behind a load balancer on $name', ({ create }) => {
  it(
    'consumers process what is not yet processed, also when one of them dies',
    async () => {
      await using deployment = await create()
      const [one, two] = [await deployment.start(settings), await deployment.start(settings)]
      const token = await tokenOf('user')
      const ids = await step('1. Users upload by the API, wherever they are sent', async () => {
        const answers = await Promise.all(
          [one, two, one, two].map(async (program, index) =>
            new Person(program, token).sendForm(
              await makePhoto({ width: 1_200, height: 900 + index }),
            ),
          ),
        )
        expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]))
        return answers.map(({ body }) => body.id)
      })
      await step('2. A consumer dies in the middle', async () => one.kill('SIGKILL'))
      await step('3. The other one does what is left', async () => {
        const user = new Person(two, token)
        for (const id of ids) expect(await user.converted(id)).toMatchObject({ state: 'ready' })
      })
    },
    timeoutMs,
  )

  it(
    'conversion is triggered by the event of the storage, which is authenticated',
    async () => {
      await using deployment = await create()
      const program = await deployment.start(settings)
      const user = new Person(program, await tokenOf('user'))
      const json = { filename: 'a.jpg', contentType: 'image/jpeg', size: picture.length }
      const { body: link } = await user.ask<UploadLinkView>('POST', '/v1/upload-links', { json })
      await step('1. The raw image comes into the bucket', async () => {
        expect(await putByLink(program, link, picture)).toBe(200)
      })
      await step('2. Nobody but the storage can say so', async () => {
        const event = { json: s3Notification(link, picture.length) }
        const path = '/v1/storage-events'
        expect((await new Person(program).ask('POST', path, event)).status).toBe(401)
        expect((await user.ask('POST', path, event)).status).toBe(403)
      })
      await step('3. The bucket’s event comes, as the event bus words it', async () => {
        const [, bucket = '', ...key] = new URL(link.url).pathname.split('/')
        const event = {
          'detail-type': 'Object Created',
          source: 'aws.s3',
          detail: { bucket: { name: bucket }, object: { key: decodeURIComponent(key.join('/')) } },
        }
        const storage = new Person(program, await tokenOf('bus', { scope: 'storage-events' }))
        const told = await storage.ask('POST', '/v1/storage-events', { json: event })
        expect(told.status).toBe(204)
      })
      await step('4. The processed image is there', async () => {
        expect(await user.converted(link.id)).toMatchObject({ state: 'ready' })
      })
    },
    timeoutMs,
  )
})
