import { randomUUID } from 'node:crypto'
import { expect, it } from 'vitest'
import { Api } from '../support/api.ts'
import { deploymentKinds } from '../support/deployments.ts'
import { makePhoto } from '../support/photo.ts'
import { uploadBuffer } from '../support/upload.ts'
import { waitFor } from '../support/wait.ts'

interface Job {
  readonly id: string
  readonly kind: string
  readonly state: string
  readonly payload: unknown
}

it.each(deploymentKinds)(
  'an operator sees the jobs on $name, and what became of them',
  async ({ create }) => {
    await using deployment = await create()
    const program = await deployment.start()
    const ask = async (path: string, method = 'GET', body?: unknown) => {
      const headers = { 'Content-Type': 'application/json' }
      const sent = body === undefined ? {} : { body: JSON.stringify(body), headers }
      const response = await fetch(program.url + path, { method, ...sent })
      const text = await response.text()
      const answer = text === '' ? undefined : (JSON.parse(text) as Record<string, unknown>)
      return { status: response.status, answer }
    }
    const jobsBy = async (query: string) => {
      const { status, answer } = await ask(`/v1/admin/jobs?${query}`)
      expect(status).toBe(200)
      return answer as { items: Job[]; nextCursor: string | null; depth: unknown[] }
    }
    const before = new Date().toISOString()
    const ids: string[] = []
    for (const width of [640, 650]) {
      const photo = await makePhoto({ width, height: 480 })
      const { id } = await uploadBuffer(program.url, photo, { filename: 'photo.jpg' })
      ids.push(id)
      expect((await new Api(program).converted(id)).state).toBe('ready')
    }

    // The image is ready in the transaction before the one that says that the job is done.
    await waitFor(async () => (await jobsBy('kind=image.convert&state=done')).items.length === 2)
    const [youngest, oldest] = (await jobsBy('kind=image.convert')).items
    expect([youngest?.payload, oldest?.payload]).toEqual(
      ids.toReversed().map((imageId) => ({ imageId })),
    )
    const first = await jobsBy('kind=image.convert&limit=1')
    expect(first.items).toEqual([youngest])
    const second = await jobsBy(`kind=image.convert&limit=1&cursor=${first.nextCursor}`)
    expect(second).toMatchObject({ items: [oldest], nextCursor: null })
    for (const none of ['state=dead', 'kind=nothing', `createdBefore=${before}`]) {
      expect((await jobsBy(none)).items).toEqual([])
    }

    const job = `/v1/admin/jobs/${oldest?.id}`
    expect(await ask(job)).toMatchObject({
      status: 200,
      answer: {
        ...oldest,
        attempts: 1,
        lastError: null,
        tries: [{ outcome: 'done', error: null }],
      },
    })
    expect((await ask('/readyz')).answer).toMatchObject({
      status: 'ok',
      queue: { queued: 0, active: 0, dead: 0, oldestAgeSeconds: null },
    })

    expect(await ask(`${job}/retry`, 'POST')).toMatchObject({
      status: 409,
      answer: { code: 'job-not-dead' },
    })
    const all = await ask('/v1/admin/jobs/retry', 'POST', { kind: 'image.convert' })
    expect(all).toEqual({ status: 200, answer: { retried: 0 } })
    expect((await ask('/v1/admin/jobs/retry', 'POST', 'x')).status).toBe(400)
    expect((await ask(job, 'DELETE')).status).toBe(204)
    for (const path of [job, `/v1/admin/jobs/${randomUUID()}`, '/v1/admin/jobs/1']) {
      expect(await ask(path)).toMatchObject({ status: 404, answer: { code: 'job-not-found' } })
    }
    expect((await jobsBy('')).items.map(({ id }) => id)).not.toContain(oldest?.id)
    expect((await new Api(program).image(ids[0] ?? '')).state).toBe('ready')
  },
  120_000,
)
