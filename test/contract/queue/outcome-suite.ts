import { expect, it } from 'vitest'
import { PermanentJobError, PostponedJobError } from '../../../src/queue/contract.ts'
import { retryPolicies } from '../../../src/queue/kinds.ts'
import { meddle } from '../../support/queue-rows.ts'
import { aborted, type QueueBench } from '../../support/queues.ts'
import { waitFor } from '../../support/wait.ts'

const { baseMs, maxAttempts } = retryPolicies['image.convert']

/** What becomes of a job when its handler fails, or the program stops under it. */
export function outcomeSuite(bench: () => QueueBench): void {
  it('tries a failed job again after a growing pause, up to its last attempt', async () => {
    const attempts: number[] = []
    const queue = await bench().create({ random: () => 0.999999 })
    queue.handle({
      kind: 'image.convert',
      async run(_payload, { number }) {
        attempts.push(number)
        throw new Error(`failure ${number}`)
      },
    })
    await bench().addImage(queue, 'one')
    await queue.start()
    const pauses: number[] = []
    for (let attempt = 1; attempt < maxAttempts; attempt++) {
      await waitFor(() => bench().reportsOf('retry').length === attempt, { intervalMs: 5 })
      const job = await bench().job()
      expect(job).toMatchObject({ state: 'queued', last_error: `failure ${attempt}` })
      expect(job.lease_token).toBeNull()
      pauses.push(job.run_at - bench().clock.now())
      await bench().clock.advance(job.run_at - bench().clock.now())
    }
    const job = await bench().jobIn('dead')
    expect(pauses.slice(0, 4)).toEqual([baseMs, baseMs * 2, baseMs * 4, baseMs * 8])
    expect(attempts).toEqual(Array.from({ length: maxAttempts }, (_, i) => i + 1))
    expect(job).toMatchObject({ attempts: maxAttempts, last_error: `failure ${maxAttempts}` })
  })

  it('makes a job dead at once when no retry can help', async () => {
    const queue = await bench().create()
    queue.handle({
      kind: 'image.convert',
      run: () => Promise.reject(new PermanentJobError('not an image')),
    })
    await bench().addImage(queue, 'one')
    await queue.start()
    const job = await bench().jobIn('dead')
    expect(job).toMatchObject({ attempts: 1, last_error: 'not an image', lease_token: null })
    expect(job.finished_at).toBe(bench().clock.now())
  })

  it('writes what onDead writes together with the end of the job, or neither', async () => {
    let calls = 0
    const stateSeen: string[] = []
    const queue = await bench().create()
    queue.handle({
      kind: 'image.convert',
      run: () => Promise.reject(new PermanentJobError('broken')),
      async onDead(trx, { imageId }, reason) {
        const event = { type: 'failed', subject: imageId, payload: reason, created_at: 0 }
        await trx
          .insertInto('events')
          .values({ id: `${++calls}`, ...event })
          .execute()
        stateSeen.push(...(await bench().jobs(trx)).map(({ state }) => state))
        if (calls === 1) throw new Error('not yet')
      },
    })
    await bench().addImage(queue, 'one')
    await queue.start()
    await bench().jobIn('dead')
    const events = await bench().database.queries.selectFrom('events').selectAll().execute()
    expect(events).toMatchObject([{ id: '2', subject: 'one', payload: 'broken' }])
    expect(stateSeen).toEqual(['dead', 'dead'])
  })

  it('does not count an attempt that was postponed', async () => {
    let runs = 0
    const queue = await bench().create()
    queue.handle({
      kind: 'image.convert',
      async run(_payload, { number }) {
        expect(number).toBe(1)
        if (++runs <= maxAttempts + 1) throw new PostponedJobError('the storage is away')
      },
    })
    await bench().addImage(queue, 'one')
    await queue.start()
    for (let turn = 1; turn <= maxAttempts + 1; turn++) {
      await waitFor(() => bench().reportsOf('postponed').length === turn, { intervalMs: 5 })
      expect(await bench().job()).toMatchObject({
        state: 'queued',
        attempts: 0,
        last_error: 'the storage is away',
      })
      await bench().clock.advance(20_000)
    }
    expect(await bench().jobIn('done')).toMatchObject({ attempts: 1 })
  })

  it.each([
    ['is not JSON', 'nonsense'],
    ['has another shape', '{"imageId":1}'],
  ])('makes a job dead whose payload %s', async (_name, payload) => {
    let calls = 0
    const queue = await bench().create()
    const count = async () => void calls++
    queue.handle({ kind: 'image.convert', run: count, onDead: count })
    await bench().addImage(queue, 'one')
    await meddle(bench().database, { payload })
    await queue.start()
    const job = await bench().jobIn('dead')
    expect(job.last_error).toMatch(/^the payload cannot be read: /)
    expect(calls).toBe(0)
  })

  it('forgets done jobs after a day and keeps dead ones', async () => {
    const first = await bench().create()
    first.handle({
      kind: 'image.convert',
      async run({ imageId }) {
        if (imageId === 'bad') throw new PermanentJobError('bad')
      },
    })
    await bench().addImage(first, 'old')
    await bench().addImage(first, 'bad')
    await first.start()
    await bench().finished()
    await bench().clock.advance(86_400_000 + 1)
    await bench().addImage(first, 'young')
    await bench().finished()
    await first.stop(0)

    const second = await bench().create()
    second.handle({ kind: 'image.convert', run: async () => {} })
    await second.start()
    const left = await waitFor(async () => {
      const jobs = await bench().jobs()
      return jobs.length < 3 && jobs
    })
    expect(left.map((job) => job.payload)).toEqual(['{"imageId":"bad"}', '{"imageId":"young"}'])
  })

  it('lets a running job finish when it stops', async () => {
    const gate = Promise.withResolvers<void>()
    const queue = await bench().create({ concurrency: { 'image.convert': 1 } })
    queue.handle({ kind: 'image.convert', run: () => gate.promise })
    await bench().addImage(queue, 'running')
    await bench().addImage(queue, 'waiting')
    await queue.start()
    await waitFor(async () => (await bench().jobs()).some((job) => job.state === 'active'))
    const stopped = queue.stop(60_000)
    gate.resolve()
    await stopped
    expect((await bench().jobs()).map((job) => job.state)).toEqual(['done', 'queued'])
  })

  it('gives a job back with its attempt when stopping cannot wait for it', async () => {
    const queue = await bench().create()
    queue.handle({ kind: 'image.convert', run: (_payload, { signal }) => aborted(signal) })
    await bench().addImage(queue, 'one')
    await queue.start()
    await bench().jobIn('active')
    await Promise.all([queue.stop(0), queue.stop(0)])
    expect(await bench().job()).toMatchObject({
      state: 'queued',
      attempts: 0,
      lease_token: null,
    })
    expect(bench().reportsOf('refunded')).toHaveLength(1)

    const next = await bench().create()
    const numbers: number[] = []
    next.handle({
      kind: 'image.convert',
      run: async (_payload, { number }) => void numbers.push(number),
    })
    await next.start()
    await bench().jobIn('done')
    expect(numbers).toEqual([1])
  })

  it('can be stopped without having been started, and does not start after that', async () => {
    const queue = await bench().create()
    queue.handle({ kind: 'image.convert', run: async () => {} })
    await queue.stop(0)
    await queue.start()
    await bench().addImage(queue, 'one')
    const other = await bench().create()
    other.handle({ kind: 'storage.remove', run: async () => {} })
    await other.start()
    await bench().add(other, 'storage.remove', { keys: [] })
    await waitFor(() => bench().reportsOf('done').length === 1)
    expect((await bench().jobs()).map((job) => job.state)).toEqual(['queued', 'done'])
  })
}
