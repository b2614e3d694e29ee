/** The profile-picture exercise: both of its versions, and what its author found lacking. */
import { beforeAll, describe, expect, it } from 'vitest'
import type { ImageView } from '../../support/api.ts'
import { type Deployment, deploymentKinds } from '../../support/deployments.ts'
import { makePhoto } from '../../support/photo.ts'
import type { Program } from '../../support/program.ts'
import { Person, step, type UploadLinkView } from '../../support/story.ts'
import { testSecret, tokenOf } from '../../support/tokens.ts'
import { putByLink, s3Notification } from '../../support/upload-link.ts'
import { waitFor } from '../../support/wait.ts'

const timeoutMs = 240_000
const settings = { AUTH_JWT_SECRET: testSecret }
const inS3 = deploymentKinds.filter(({ name }) => name.startsWith('s3'))

let picture: Buffer
let person: Person

beforeAll(async () => {
  picture = await makePhoto({ width: 640, height: 480 })
})

const begin = async (deployment: Deployment): Promise<Program> => {
  const program = await deployment.start(settings)
  person = new Person(program, await tokenOf('ada'))
  return program
}

const askForLink = async (): Promise<UploadLinkView> => {
  const json = { filename: 'me.jpg', contentType: 'image/jpeg', size: picture.length }
  const answer = await person.ask<UploadLinkView>('POST', '/v1/upload-links', { json })
  expect(answer.status).toBe(201)
  return answer.body
}

const becomesThePicture = async (imageId: string): Promise<void> => {
  expect(await person.converted(imageId)).toMatchObject({
    state: 'ready',
    filename: 'me.jpg',
    size: picture.length,
  })
  const set = await person.ask<{ url: string }>('PUT', '/v1/me/avatar', { json: { imageId } })
  expect(set).toMatchObject({ status: 200, body: { userId: 'ada', imageId } })
  const seen = await person.ask('GET', '/v1/users/ada/avatar')
  expect(seen.status).toBe(200)
  expect(seen.headers.get('Content-Type')).toMatch(/^image\//)
}

describe.each(deploymentKinds)('the profile-picture exercise on $name', ({ name, create }) => {
  it(
    'first version: a form brings the picture, and its URL is kept for the user',
    async () => {
      await using deployment = await create()
      const program = await begin(deployment)
      const image = await step('1. The client posts a multipart form', async () => {
        const answer = await person.sendForm(picture, { filename: 'me.jpg' })
        expect([200, 202]).toContain(answer.status)
        return answer.body
      })
      await step('2. The picture is the user’s, and others see it by its URL', async () => {
        await becomesThePicture(image.id)
        const { body } = await person.ask<{ url: string }>('PUT', '/v1/me/avatar', {
          json: { imageId: image.id },
        })
        const inPage = await new Person(program).ask('GET', body.url)
        expect(inPage.status).toBe(200)
        expect(inPage.headers.get('Content-Type')).toMatch(/^image\//)
      })
      await step('3. It is taken away again', async () => {
        expect((await person.ask('DELETE', '/v1/me/avatar')).status).toBe(204)
        expect((await person.ask('GET', '/v1/users/ada/avatar')).status).toBe(404)
      })
    },
    timeoutMs,
  )

  it(
    'second version (b): the client puts the picture into storage, and tells the server',
    async () => {
      await using deployment = await create()
      const program = await begin(deployment)
      await step('0. Not anybody may call it', async () => {
        const json = { filename: 'me.jpg', contentType: 'image/jpeg', size: picture.length }
        const nobody = await new Person(program).ask('POST', '/v1/upload-links', { json })
        expect(nobody).toMatchObject({ status: 401, body: { code: 'token-required' } })
        expect(nobody.headers.get('WWW-Authenticate')).toMatch(/^Bearer\b/)
      })
      const link = await step(
        '1. The client asks for an upload link, naming file name and type',
        askForLink,
      )
      await step(
        '2. The server returns a presigned URL, and the URL the picture will have',
        async () => {
          const storage = deployment.env.S3_ENDPOINT ?? program.url
          expect(new URL(link.url, program.url).origin).toBe(new URL(storage).origin)
          expect(new URL(link.imageUrl, program.url).pathname).toBe(`/v1/images/${link.id}`)
          expect(Date.parse(link.expiresAt)).toBeGreaterThan(Date.now())
        },
      )
      const complete = `/v1/upload-links/${link.id}/complete`
      await step('(told too early, the server says that nothing has arrived)', async () => {
        expect(await person.ask('POST', complete)).toMatchObject({
          status: 409,
          body: { code: 'upload-not-arrived' },
        })
      })
      await step('3. The client PUTs the picture straight to storage', async () => {
        expect(await putByLink(program, link, picture)).toBe(name.startsWith('s3') ? 200 : 204)
      })
      await step('4b. The client tells the server, which records it for the user', async () => {
        for (const time of ['once', 'twice']) {
          const answer = await person.ask<ImageView>('POST', complete)
          expect(answer, time).toMatchObject({ status: 200, body: { id: link.id } })
        }
        await becomesThePicture(link.id)
        const original = await person.ask('GET', `/v1/uploads/${link.id}/content`)
        expect(original.bytes.equals(picture)).toBe(true)
      })
      await step('(it is nobody else’s)', async () => {
        const other = new Person(program, await tokenOf('mallory'))
        expect((await other.ask('POST', complete)).status).toBe(404)
        expect((await other.ask('GET', `/v1/images/${link.id}`)).status).toBe(404)
        const json = { imageId: link.id }
        expect((await other.ask('PUT', '/v1/me/avatar', { json })).status).toBe(404)
      })
    },
    timeoutMs,
  )
})

describe.each(inS3)('the profile-picture exercise on $name', ({ create }) => {
  it(
    'second version (a): storage notifies the server',
    async () => {
      await using deployment = await create()
      const program = await begin(deployment)
      const link = await step('1.–2. The client asks for an upload link', askForLink)
      await step('3. The client PUTs the picture straight to storage', async () => {
        expect(await putByLink(program, link, picture)).toBe(200)
      })
      await step('4a. Storage notifies the server, which records it for the user', async () => {
        const json = s3Notification(link, picture.length)
        expect((await person.ask('POST', '/v1/storage-events', { json })).status).toBe(403)
        const storage = new Person(program, await tokenOf('bucket', { scope: 'storage-events' }))
        for (const time of ['once', 'twice']) {
          const told = await storage.ask('POST', '/v1/storage-events', { json })
          expect(told.status, time).toBe(204)
        }
        await becomesThePicture(link.id)
      })
    },
    timeoutMs,
  )
})

const oneOfEach = deploymentKinds.filter(({ name }) => /disk and sqlite|s3 and postgres/.test(name))

describe.each(oneOfEach)('the profile-picture exercise on $name', ({ create }) => {
  it(
    'second version, when neither comes: the server finds out by itself',
    async () => {
      await using deployment = await create()
      const program = await begin(deployment)
      const link = await step('1.–2. The client asks for an upload link', askForLink)
      await step('3. The client PUTs the picture to storage, and goes away', async () => {
        expect(await putByLink(program, link, picture)).toBeLessThan(300)
      })
      await step('4. The server finds the picture, and records it', async () => {
        const look = async () => (await person.ask('GET', link.imageUrl)).status === 200
        await waitFor(look, { timeoutMs: 150_000, what: 'the picture to be found' })
        await becomesThePicture(link.id)
      })
    },
    timeoutMs,
  )
})
