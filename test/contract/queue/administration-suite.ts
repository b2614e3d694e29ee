import { expect, it } from 'vitest'
import { newId } from '../../../src/ids.ts'
import {
  type JobHandler,
  type JobQueue,
  type JobRecord,
  PermanentJobError,
  PostponedJobError,
} from '../../../src/queue/contract.ts'
import { retryPolicies } from '../../../src/queue/kinds.ts'
import { aborted, type QueueBench } from '../../support/queues.ts'
import { waitFor } from '../../support/wait.ts'

type ConvertHandler = JobHandler<'image.convert'>

/** What an operator sees of jobs and does with them. */
export function administrationSuite(bench: () => QueueBench): void {
  /** A queue that works on images, one at a time. */
  async function working(
    handler: Omit<ConvertHandler, 'kind'>,
    options: Parameters<QueueBench['create']>[0] = {},
  ): Promise<JobQueue> {
    const queue = await bench().create({ concurrency: { 'image.convert': 1 }, ...options })
    queue.handle<'image.convert'>({ kind: 'image.convert', ...handler })
    await queue.start()
    return queue
  }

  const failing = async () => {
    throw new PermanentJobError('not an image')
  }

  /** A queue with as many dead jobs. */
  async function withDead(count: number, handler: Partial<ConvertHandler> = {}): Promise<JobQueue> {
    const queue = await working({ run: failing, ...handler })
    await bench().database.transaction(async (trx) => {
      for (let i = 0; i < count; i++) {
        await queue.enqueue(trx, 'image.convert', { imageId: `image ${i}` })
      }
    })
    queue.wake()
    await waitFor(() => bench().reportsOf('dead').length === count, { intervalMs: 5 })
    return queue
  }

  const images = (jobs: readonly JobRecord[]) =>
    jobs.map(({ payload }) => (payload as { imageId: string }).imageId)

  const onlyJob = async ({ administration }: JobQueue): Promise<JobRecord> => {
    const [job, ...others] = await administration.list({}, { limit: 2 })
    if (!job || others.length > 0) throw new Error('there is not one job')
    return job
  }

  it('shows a job as it was added', async () => {
    const queue = await bench().create()
    const runAt = bench().clock.now() + 5_000
    await bench().addImage(queue, 'one', { priority: 7, runAt })
    const job = await onlyJob(queue)
    const shown = {
      kind: 'image.convert',
      state: 'queued',
      payload: { imageId: 'one' },
      priority: 7,
      attempts: 0,
      maxAttempts: retryPolicies['image.convert'].maxAttempts,
      createdAt: bench().clock.now(),
      runAt,
      finishedAt: undefined,
      lastError: undefined,
    }
    expect(job).toEqual({ id: job.id, ...shown })
    expect(await queue.administration.find(job.id)).toEqual({ id: job.id, ...shown, tries: [] })
  })

  it('lists the newest first, page by page, by kind, state and age', async () => {
    const queue = await bench().create({ concurrency: { 'image.convert': 1 } })
    for (const id of ['a', 'b', 'bad', 'c']) await bench().addImage(queue, id)
    await bench().add(queue, 'storage.remove', { keys: [] })
    await bench().clock.advance(1_000)
    const between = bench().clock.now()
    await bench().addImage(queue, 'd', { runAt: between + 9_000_000 })
    queue.handle({
      kind: 'image.convert',
      run: async ({ imageId }) => void (imageId === 'bad' && (await failing())),
    })
    await queue.start()
    await waitFor(() => bench().reportsOf('done').length === 3)
    const list = queue.administration.list
    const kind = 'image.convert'
    expect(images(await list({ kind }, { limit: 10 }))).toEqual(['d', 'c', 'bad', 'b', 'a'])
    expect(images(await list({ kind, state: 'done' }, { limit: 10 }))).toEqual(['c', 'b', 'a'])
    expect(images(await list({ state: 'dead' }, { limit: 10 }))).toEqual(['bad'])
    expect(images(await list({ kind, state: 'queued' }, { limit: 10 }))).toEqual(['d'])
    const old = await list({ kind, createdBefore: between }, { limit: 10 })
    expect(images(old)).toEqual(['c', 'bad', 'b', 'a'])
    expect(await list({ kind: 'storage.remove' }, { limit: 10 })).toHaveLength(1)
    expect(await list({ kind: 'of another release' }, { limit: 10 })).toEqual([])

    const pages: string[][] = []
    let before: string | undefined
    do {
      const page = await list({}, { limit: 2, before })
      pages.push(page.map((job) => job.id))
      before = page.at(-1)?.id
    } while (before !== undefined)
    const all = (await list({}, { limit: 10 })).map((job) => job.id)
    expect(pages.map((page) => page.length)).toEqual([2, 2, 2, 0])
    expect(pages.flat()).toEqual(all)
    expect(all).toEqual(all.toSorted().toReversed())
    expect(await list({}, { limit: 2, before: 'no id' })).toEqual([])
  })

  it('tells every try of a job: when, who, how it ended and why', async () => {
    const ends = [new Error('no room'), new PostponedJobError('storage is away'), undefined]
    const queue = await working({
      async run() {
        await bench().clock.advance(5)
        const error = ends.shift()
        if (error) throw error
      },
    })
    const start = bench().clock.now()
    await bench().addImage(queue, 'one')
    await waitFor(() => bench().reportsOf('retry').length === 1, { intervalMs: 5 })
    await bench().clock.advance(60_000)
    await waitFor(() => bench().reportsOf('postponed').length === 1, { intervalMs: 5 })
    await bench().clock.advance(60_000)
    await bench().jobIn('done')
    const { id } = await onlyJob(queue)
    const job = await queue.administration.find(id)
    const holder = expect.stringMatching(/:\d+:/)
    const second = start + 60_005
    const third = second + 60_005
    expect(job?.tries).toEqual([
      { startedAt: start, endedAt: start + 5, holder, outcome: 'failed', error: 'no room' },
      {
        startedAt: second,
        endedAt: second + 5,
        holder,
        outcome: 'postponed',
        error: 'storage is away',
      },
      { startedAt: third, endedAt: third + 5, holder, outcome: 'done', error: undefined },
    ])
    expect(job).toMatchObject({ attempts: 2, lastError: 'storage is away', finishedAt: third + 5 })
  })

  it('tells of a try that is under way, that was given back and that was lost', async () => {
    const queue = await working({ run: (_payload, { signal }) => aborted(signal) })
    await bench().addImage(queue, 'one')
    await bench().jobIn('active')
    const { id } = await onlyJob(queue)
    const find = queue.administration.find
    expect((await find(id))?.tries).toMatchObject([{ endedAt: undefined, outcome: undefined }])
    await queue.stop(0)
    const other = await bench().create()
    const store = await bench().store({ leaseMs: 10_000 })
    await store.claim('image.convert')
    await bench().clock.advance(30_000)
    other.handle({ kind: 'image.convert', run: failing })
    await other.start()
    await bench().jobIn('dead')
    const job = await other.administration.find(id)
    expect(job?.tries.map(({ outcome }) => outcome)).toEqual(['returned', 'lost', 'failed'])
    expect(job).toMatchObject({ attempts: 2 })
  })

  it('keeps the first and the last of very many tries, and errors of bounded length', async () => {
    let runs = 0
    const queue = await working({
      async run() {
        if (++runs > 40) return
        throw new PostponedJobError(`${runs} \0 \ud800 ${'x'.repeat(3_000)}`)
      },
    })
    await bench().addImage(queue, 'one')
    for (let turn = 1; turn <= 40; turn++) {
      await waitFor(() => bench().reportsOf('postponed').length === turn, { intervalMs: 2 })
      await bench().clock.advance(20_000)
    }
    await bench().jobIn('done')
    const { id, lastError = '' } = await onlyJob(queue)
    const { tries = [] } = (await queue.administration.find(id)) ?? {}
    expect(tries.map(({ error }) => Number.parseInt(error ?? '', 10))).toEqual([
      ...[1, 2, 3, 4, 5],
      ...Array.from({ length: 20 }, (_, i) => 21 + i),
      Number.NaN,
    ])
    expect(lastError).toMatch(/^40 {2}\ufffd x+$/)
    expect(lastError).toHaveLength(2_000)
  })

  it('tries a dead job again with all its attempts, and takes back what its death wrote', async () => {
    const revived: string[] = []
    const queue = await withDead(1, {
      async onRevived(trx, { imageId }) {
        revived.push(imageId, ...(await bench().jobs(trx)).map(({ state }) => state))
        return true
      },
    })
    await queue.stop(0)
    const { id } = await onlyJob(queue)
    await queue.administration.retry(id)
    expect(revived).toEqual(['image 0', 'dead'])
    const job = await queue.administration.find(id)
    expect(job).toMatchObject({
      state: 'queued',
      attempts: 0,
      maxAttempts: retryPolicies['image.convert'].maxAttempts,
      finishedAt: undefined,
      lastError: 'not an image',
      tries: [{ outcome: 'failed' }],
    })
    const numbers: number[] = []
    const next = await working({ run: async (_payload, { number }) => void numbers.push(number) })
    await bench().jobIn('done')
    expect(numbers).toEqual([1])
    expect((await next.administration.find(id))?.tries).toMatchObject([
      { outcome: 'failed' },
      { outcome: 'done' },
    ])
  })

  it('lets a job that was tried again die again, and be tried again', async () => {
    const queue = await withDead(1)
    const { id } = await onlyJob(queue)
    for (let round = 2; round <= 3; round++) {
      await queue.administration.retry(id)
      await waitFor(() => bench().reportsOf('dead').length === round)
      expect(await onlyJob(queue)).toMatchObject({ state: 'dead', attempts: 1 })
    }
  })

  it('forgets a dead job when there is nothing left to do', async () => {
    const queue = await withDead(1, { onRevived: async () => false })
    const { id } = await onlyJob(queue)
    await queue.administration.retry(id)
    expect(await queue.administration.find(id)).toBeUndefined()
  })

  it('leaves a dead job as it is when what its death wrote cannot be taken back', async () => {
    const queue = await withDead(1, { onRevived: () => Promise.reject(new Error('no')) })
    const before = await onlyJob(queue)
    await expect(queue.administration.retry(before.id)).rejects.toThrow('no')
    expect(await onlyJob(queue)).toEqual(before)
  })

  it('refuses to try a dead job again while another one has its key', async () => {
    const queue = await working({ run: failing })
    await bench().addImage(queue, 'dead', { dedupeKey: 'key' })
    await bench().jobIn('dead')
    const { id } = await onlyJob(queue)
    await queue.stop(0)
    await bench().addImage(queue, 'other', { dedupeKey: 'key' })
    const duplicate = { code: 'job-duplicate', status: 409 }
    await expect(queue.administration.retry(id)).rejects.toMatchObject(duplicate)
    expect(await queue.administration.retryAll('image.convert')).toBe(0)
    expect(bench().reportsOf('trouble')).toMatchObject([{ doing: 'revive', error: duplicate }])
    expect(await queue.administration.find(id)).toMatchObject({ state: 'dead' })
  })

  it('refuses to try again what is not dead, and what is not there', async () => {
    const queue = await bench().create()
    await bench().addImage(queue, 'one')
    const { id } = await onlyJob(queue)
    const { retry, discard, find } = queue.administration
    await expect(retry(id)).rejects.toMatchObject({ code: 'job-not-dead', status: 409 })
    for (const nobody of [newId(), 'no id', '']) {
      expect(await find(nobody)).toBeUndefined()
      const gone = { code: 'job-not-found', status: 404 }
      await expect(retry(nobody)).rejects.toMatchObject(gone)
      await expect(discard(nobody)).rejects.toMatchObject(gone)
    }
  })

  it('tries all dead jobs of a kind again, but those for which that fails', async () => {
    const count = 120
    const queue = await withDead(count, {
      async onRevived(_trx, { imageId }) {
        if (imageId === 'image 60') throw new Error('no')
        return imageId !== 'image 61'
      },
    })
    await queue.stop(0)
    expect(await queue.administration.retryAll('storage.remove')).toBe(0)
    expect(await queue.administration.retryAll('image.convert')).toBe(count - 1)
    const states = Map.groupBy(await bench().jobs(), ({ state }) => state)
    expect(states.get('queued')).toHaveLength(count - 2)
    expect(states.get('dead')).toHaveLength(1)
    expect(bench().reportsOf('trouble')).toMatchObject([{ doing: 'revive' }])
  })

  it('forgets a job that waits, after its onDead, and one that is at its end without', async () => {
    const told: string[] = []
    const onDead = async (_trx: unknown, { imageId }: { imageId: string }, reason: string) =>
      void told.push(`${imageId}: ${reason}`)
    const queue = await withDead(1, { onDead })
    await queue.stop(0)
    await bench().addImage(queue, 'waiting', { dedupeKey: 'key' })
    told.length = 0
    for (const { id } of await queue.administration.list({}, { limit: 5 })) {
      await queue.administration.discard(id)
    }
    expect(told).toEqual(['waiting: discarded by an operator'])
    expect(await bench().jobs()).toEqual([])
    await bench().addImage(queue, 'with the same key', { dedupeKey: 'key' })
    expect(await bench().jobs()).toHaveLength(1)
  })

  it('keeps a job that waits when its onDead fails', async () => {
    const queue = await bench().create()
    queue.handle({
      kind: 'image.convert',
      run: failing,
      onDead: () => Promise.reject(new Error('not now')),
    })
    await bench().addImage(queue, 'waiting')
    const { id } = await onlyJob(queue)
    await expect(queue.administration.discard(id)).rejects.toThrow('not now')
    expect(await onlyJob(queue)).toMatchObject({ state: 'queued' })
  })

  it('does not forget a job that is running', async () => {
    const gate = Promise.withResolvers<void>()
    const queue = await working({ run: () => gate.promise })
    await bench().addImage(queue, 'one')
    await bench().jobIn('active')
    const { id } = await onlyJob(queue)
    const running = { code: 'job-running', status: 409 }
    await expect(queue.administration.discard(id)).rejects.toMatchObject(running)
    gate.resolve()
    await bench().jobIn('done')
    await queue.administration.discard(id)
    expect(await bench().jobs()).toEqual([])
  })

  it('counts what waits, runs and is dead, with the age of the oldest', async () => {
    const discard = { id: 'an-id', multipartId: null, tailEpoch: 0 }
    const gate = Promise.withResolvers<void>()
    const queue = await working({
      async run({ imageId }) {
        if (imageId === 'bad') await failing()
        if (imageId === 'slow') await gate.promise
      },
    })
    expect(await queue.administration.depth()).toEqual([])
    for (const id of ['bad', 'done']) await bench().addImage(queue, id)
    await waitFor(() => bench().reportsOf('done').length === 1)
    const dead = { kind: 'image.convert', queued: 0, active: 0, dead: 1 }
    expect(await queue.administration.depth()).toEqual([{ ...dead, oldestCreatedAt: undefined }])
    await bench().clock.advance(1_000)
    const oldestCreatedAt = bench().clock.now()
    await bench().addImage(queue, 'slow', { priority: 1 })
    await waitFor(async () => (await bench().jobs()).some(({ state }) => state === 'active'))
    await bench().clock.advance(1_000)
    for (const id of ['x', 'y']) await bench().addImage(queue, id)
    await bench().add(queue, 'storage.remove', { keys: [] })
    // For a moment that has not come.
    await bench().add(queue, 'upload.discard', discard, { runAt: bench().clock.now() + 60_000 })
    expect(await queue.administration.depth()).toEqual([
      { ...dead, queued: 2, active: 1, oldestCreatedAt },
      {
        kind: 'storage.remove',
        queued: 1,
        active: 0,
        dead: 0,
        oldestCreatedAt: bench().clock.now(),
      },
      {
        ...{ kind: 'upload.discard', queued: 1, active: 0, dead: 0 },
        oldestCreatedAt: undefined,
      },
    ])
    const later = bench().clock.now()
    await bench().clock.advance(60_000)
    const depth = await queue.administration.depth()
    expect(depth.find(({ kind }) => kind === 'upload.discard')).toMatchObject({
      oldestCreatedAt: later,
    })
    gate.resolve()
  })
}
