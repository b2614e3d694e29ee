import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { Api, sha256Of } from '../support/api.ts'
import { type Deployment, deploymentKinds } from '../support/deployments.ts'
import { writtenForm } from '../support/one-request.ts'
import type { Program } from '../support/program.ts'
import { RawClient } from '../support/raw-client.ts'
import { waitFor } from '../support/wait.ts'

const mebibyte = 2 ** 20
const minute = 60_000
const portOf = ({ url }: Program) => Number(new URL(url).port)

/** More than one part of S3 holds. */
const film = randomBytes(12 * mebibyte)
const form = writtenForm(film)
const whole = form.body.length
const formHead = { 'Content-Type': form.type, 'Content-Length': whole }
const bodyHead = { 'Content-Type': 'image/jpeg', 'Content-Length': film.length }

describe.each(deploymentKinds)('a file in one request, on $name,', ({ create }) => {
  it(
    'leaves nothing when its connection breaks, wherever that happens',
    async () => {
      await using deployment = await create()
      const program = await deployment.start()
      for (const [head, body, length] of [
        [formHead, form.body, 10],
        [formHead, form.body, form.start],
        [formHead, form.body, form.start + 100],
        [formHead, form.body, 8 * mebibyte],
        // All of the file, and all but the last dash of the form.
        [formHead, form.body, form.start + film.length],
        [formHead, form.body, whole - '-\r\n'.length],
        // All of the form, but not of the request.
        [{ ...formHead, 'Content-Length': whole + 10 }, form.body, whole],
        [bodyHead, film, 1],
        [bodyHead, film, 8 * mebibyte],
        [bodyHead, film, film.length - 1],
      ] as const) {
        await cut(program, head, body.subarray(0, length))
      }
      await cut(program, chunked(form.type), inChunks(form.body.subarray(0, 8 * mebibyte)))
      // The end of the body is missing, and nothing else.
      await cut(program, chunked('image/jpeg'), inChunks(film))
      await expectNothing(program, deployment)
    },
    3 * minute,
  )

  it('leaves nothing when the form is not what it should be, and says why', async () => {
    await using deployment = await create()
    const program = await deployment.start()
    const second =
      '--a-boundary\r\nContent-Disposition: form-data; name="file"; filename="b"\r\n\r\nb\r\n'
    const ending = (bytes: Buffer) => bytes.subarray(0, -'--a-boundary--\r\n'.length)
    for (const body of [
      writtenForm(film, '', second).body,
      ending(form.body),
      Buffer.from('--a-boundary--\r\n'),
      Buffer.alloc(0),
    ]) {
      await using client = new RawClient(portOf(program))
      client.send('POST', '/v1/images', {
        'Content-Type': form.type,
        'Content-Length': body.length,
      })
      client.socket.write(body)
      const { status, body: problem } = await client.answer('POST')
      expect([status, JSON.parse(problem)]).toMatchObject([400, { code: 'bad-form' }])
    }
    await expectNothing(program, deployment)
  })

  it('is refused while it is still being sent, and leaves nothing', async () => {
    await using deployment = await create()
    const program = await deployment.start({ MAX_UPLOAD_SIZE: '1MiB' })
    for (const head of [formHead, chunked(form.type), bodyHead, chunked('image/jpeg')]) {
      await using client = new RawClient(portOf(program))
      client.send('POST', '/v1/images', head)
      const isChunked = 'Transfer-Encoding' in head
      client.socket.write(isChunked ? inChunks(form.body) : form.body)
      const { status, headers, body } = await client.answer('POST')
      expect([status, JSON.parse(body)]).toMatchObject([413, { code: 'upload-too-large' }])
      expect(headers.get('Connection')).toBe('close')
    }
    await expectNothing(program, deployment)
  })

  it('is asked for once the server is about to read it, and refused before', async () => {
    await using deployment = await create()
    const program = await deployment.start({ MAX_UPLOAD_SIZE: '13MiB' })
    await using client = new RawClient(portOf(program))
    client.send('POST', '/v1/images', { ...formHead, Expect: '100-continue' })
    const asked = await client.answer('POST')
    expect(asked.status).toBe(100)
    client.socket.write(form.body)
    const answer = await client.answer('POST')
    expect(answer.status).toBe(202)
    const { id } = JSON.parse(answer.body) as { id: string }
    expect(sha256Of(await new Api(program).content(id))).toBe(sha256Of(film))

    await using other = new RawClient(portOf(program))
    const tooLong = { ...bodyHead, 'Content-Length': 14 * mebibyte }
    other.send('POST', '/v1/images', { ...tooLong, Expect: '100-continue' })
    expect((await other.answer('POST')).status).toBe(413)
  })

  it('leaves nothing when the program stops in the middle of it', async () => {
    await using deployment = await create()
    const program = await deployment.start()
    await using client = new RawClient(portOf(program))
    client.send('POST', '/v1/images', formHead)
    client.socket.write(form.body.subarray(0, 8 * mebibyte))
    await waitFor(() => isUnderWay(program), { what: 'the upload to begin' })
    const exit = program.stop()
    expect(await client.answer('POST')).toMatchObject({ status: 503 })
    expect((await exit).code).toBe(0)
    await expectNothing(await deployment.start(), deployment)
  })
})

function chunked(type: string) {
  return { 'Content-Type': type, 'Transfer-Encoding': 'chunked' }
}

/** Without the last one, which ends the body. */
function inChunks(bytes: Buffer): Buffer {
  const size = Buffer.from(`${bytes.length.toString(16)}\r\n`)
  return Buffer.concat([size, bytes, Buffer.from('\r\n')])
}

/** Sends the beginning of a request, waits until the server has had it, and hangs up. */
async function cut(program: Program, head: Record<string, string | number>, bytes: Buffer) {
  await using client = new RawClient(portOf(program))
  client.send('POST', '/v1/images', head)
  if (!client.socket.write(bytes)) await once(client.socket, 'drain')
  // What is answered now was asked after those bytes.
  await fetch(`${program.url}/readyz`)
  client.socket.destroy()
}

async function isUnderWay(program: Program): Promise<boolean> {
  return (await new Api(program).uploads()).items.length > 0
}

async function expectNothing(program: Program, deployment: Deployment): Promise<void> {
  const api = new Api(program)
  await waitFor(async () => !(await isUnderWay(program)), { what: 'no upload to be there' })
  const isEmpty = async () => (await deployment.storedKeys()).length === 0
  await waitFor(isEmpty, { what: 'storage to be empty' })
  expect((await api.images()).items).toEqual([])
  expect((await api.uploads()).items).toEqual([])
}
