import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { Api, sha256Of } from '../support/api.ts'
import { deploymentKinds } from '../support/deployments.ts'
import { sendBody, sendForm } from '../support/one-request.ts'
import { makePhoto } from '../support/photo.ts'
import { missingProcesses, residentBytes } from '../support/processes.ts'
import { startProgram } from '../support/program.ts'
import { waitFor } from '../support/wait.ts'

const mebibyte = 2 ** 20
const minute = 60_000
const small = { width: 640, height: 480 }

describe.each(deploymentKinds)('an image in one request, on $name,', ({ create }) => {
  it(
    'is taken from a form, from a body, and from one without a length, byte for byte',
    async () => {
      await using deployment = await create()
      const program = await deployment.start()
      const api = new Api(program)
      const photo = await makePhoto(small)
      const jpeg = { 'Content-Type': 'image/jpeg' }
      const answers = [
        await sendForm(program.url, photo, {}, 'C:\\holiday\\ün.jpg'),
        await sendBody(program.url, photo, { query: '?filename=ün.jpg', headers: jpeg }),
        await sendBody(program.url, new Blob([new Uint8Array(photo)]).stream(), {
          headers: { ...jpeg, 'Content-Disposition': `attachment; filename*=UTF-8''%C3%BCn.jpg` },
        }),
      ]
      for (const { status, headers, image } of answers) {
        expect(headers.get('Location')).toBe(`/v1/images/${image.id}`)
        expect([200, 202]).toContain(status)
        expect(status === 202).toBe(image.state === 'processing')
        expect(await api.converted(image.id)).toMatchObject({
          state: 'ready',
          filename: 'ün.jpg',
          contentType: 'image/jpeg',
          size: photo.length,
          sha256: sha256Of(photo),
        })
        expect((await api.content(image.id)).equals(photo)).toBe(true)
      }
      const ids = answers.map(({ image }) => image.id)
      const stored = await deployment.storedKeys()
      const originals = stored.filter((key) => key.startsWith('uploads/'))
      expect(originals).toEqual(ids.map((id) => `uploads/${id}`).toSorted())
    },
    2 * minute,
  )

  it('is the answer once it is converted, to who waits for that', async () => {
    await using deployment = await create()
    const program = await deployment.start()
    const photo = await makePhoto(small)
    const ready = await sendForm(program.url, photo, { query: '?wait=60' })
    expect(ready.status).toBe(200)
    expect(ready.image).toMatchObject({ state: 'ready', width: 640, height: 480 })
    const failed = await sendBody(program.url, randomBytes(2 * mebibyte), { query: '?wait=60' })
    expect(failed.status).toBe(200)
    expect(failed.image).toMatchObject({ state: 'failed', error: { code: 'not-an-image' } })
  })

  it('is uploaded once by requests with the same key, and is the answer to all of them', async () => {
    await using deployment = await create()
    const program = await deployment.start()
    const photo = await makePhoto(small)
    const headers = { 'Idempotency-Key': '"a key"', 'Content-Type': 'image/jpeg' }
    const first = await sendBody(program.url, photo, { headers })
    const second = await sendBody(program.url, photo, { headers })
    expect(second.image.id).toBe(first.image.id)
    const other = await sendBody(program.url, photo.subarray(1), { headers })
    expect([other.status, other.code]).toEqual([422, 'idempotency-key-reused'])

    const inForm = { headers: { 'Idempotency-Key': 'another' } }
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => sendForm(program.url, photo, inForm)),
    )
    const done = answers.filter(({ status }) => status < 300)
    expect(new Set(done.map(({ image }) => image.id)).size).toBe(1)
    for (const { status, code, headers } of answers.filter((each) => !done.includes(each))) {
      expect([status, code]).toEqual([409, 'idempotency-in-progress'])
      expect(headers.get('Retry-After')).toBe('1')
    }
    expect((await new Api(program).images()).items).toHaveLength(2)
    expect((await new Api(program).uploads()).items).toHaveLength(2)

    expect(
      (await fetch(`${program.url}/v1/images/${first.image.id}`, { method: 'DELETE' })).ok,
    ).toBe(true)
    const again = await sendBody(program.url, photo, { headers })
    expect(again.status).toBeLessThan(300)
    expect(again.image.id).not.toBe(first.image.id)
  })

  it(
    'arrives in bounded memory, however large',
    async (context) => {
      if (missingProcesses) context.skip(missingProcesses)
      await using deployment = await create()
      const program = await deployment.start({ UPLOAD_MEMORY: '16MiB' })
      const film = randomBytes(64 * mebibyte)
      await sendForm(program.url, randomBytes(8 * mebibyte))
      let most = 0
      const before = residentBytes(program.pid)
      const timer = setInterval(() => {
        most = Math.max(most, residentBytes(program.pid) - before)
      }, 5)
      const answer = await sendForm(program.url, film).finally(() => clearInterval(timer))
      expect(answer.status).toBe(202)
      expect(most).toBeLessThan(48 * mebibyte)
      const image = await new Api(program).converted(answer.image.id)
      expect(image).toMatchObject({ size: film.length, sha256: sha256Of(film) })
    },
    2 * minute,
  )
})

it('a request that waits for a conversion is answered at once when the program stops', async () => {
  await using program = await startProgram({ env: { CONVERSION_CONCURRENCY: '1' } })
  const photo = await makePhoto()
  const waiting = sendForm(program.url, photo, { query: '?wait=60' })
  const isStored = async () => (await new Api(program).images()).items.length === 1
  await waitFor(isStored, { what: 'the image to be there' })
  process.kill(program.pid, 'SIGTERM')
  // The conversion under way may go on for a while.
  expect(await waiting).toMatchObject({ status: 202, image: { state: 'processing' } })
})
