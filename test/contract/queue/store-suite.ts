import { expect, it } from 'vitest'
import type { JobStore, LeasedJob, LostJob, Requeue } from '../../../src/queue/worker/store.ts'
import type { QueueBench } from '../../support/queues.ts'

const leaseMs = 10_000
const back: Requeue = { attempts: 1, maxAttempts: 8, losses: 0, tries: '[]', lastError: 'no' }
const end = { tries: '[]', lastError: 'no' }

/** What an engine does for a holder, and refuses to one that lost its lease. */
export function storeSuite(bench: () => QueueBench): void {
  async function claimed(store: JobStore): Promise<LeasedJob> {
    const job = await store.claim('image.convert')
    if (!job) throw new Error('nothing was claimed')
    return job
  }

  it.each<[string, (store: JobStore, job: LeasedJob, lost: LostJob) => Promise<boolean>]>([
    ['done', (store, job) => store.complete(job)],
    ['to be tried again', (store, job) => store.requeue(job, back)],
    ['dead', (store, job) => store.bury(job, end, () => Promise.reject(new Error('called')))],
    ['lost', (store, _job, lost) => store.requeue(lost, back)],
    ['lost for good', (store, _job, lost) => store.bury(lost, end, () => Promise.reject(lost))],
  ])('is not changed by a former holder that calls the job %s', async (_name, write) => {
    await bench().addImage(await bench().create(), 'one')
    const store = await bench().store({ leaseMs })
    const former = await claimed(store)
    await bench().clock.advance(leaseMs)
    const [lost] = await store.findExpired(['image.convert'])
    if (!lost) throw new Error('no job was lost')
    expect(await store.requeue(former, back)).toBe(true)
    await claimed(store)
    const before = await bench().job()
    expect(await write(store, former, lost)).toBe(false)
    expect(await bench().job()).toEqual(before)
  })

  it('keeps a job with a holder that extended its lease while it was being given up', async () => {
    await bench().addImage(await bench().create(), 'one')
    const store = await bench().store({ leaseMs })
    const job = await claimed(store)
    await bench().clock.advance(leaseMs)
    const [lost] = await store.findExpired(['image.convert'])
    if (!lost) throw new Error('no job was lost')
    expect(await store.extend([job])).toEqual(new Set([job.token]))
    expect(await store.requeue(lost, back)).toBe(false)
    expect(await bench().jobIn('active')).toMatchObject({ lease_token: job.token })
    expect(await store.findExpired(['image.convert'])).toEqual([])
  })

  it('tells a holder which of its leases are lost', async () => {
    const queue = await bench().create()
    for (const imageId of ['one', 'two']) await bench().addImage(queue, imageId)
    const store = await bench().store({ leaseMs })
    const [one, two] = [await claimed(store), await claimed(store)]
    await store.requeue(one, back)
    expect(await store.extend([one, two])).toEqual(new Set([two.token]))
  })

  it('knows who holds a job', async () => {
    await bench().addImage(await bench().create(), 'one')
    const instance = { holder: 'here:1:x', isDeadHolder: () => false }
    const store = await bench().store({ leaseMs, instance })
    expect(await store.findHolders()).toEqual([])
    const job = await claimed(store)
    expect(await store.findHolders()).toEqual(['here:1:x'])
    const held = await store.findHeldBy(['image.convert'], ['here:1:x', 'there:1:x'])
    expect(held).toMatchObject([{ id: job.id, token: job.token, attempts: 1, losses: 0 }])
    expect(await store.findHeldBy(['image.convert'], ['there:1:x'])).toEqual([])
  })
}
