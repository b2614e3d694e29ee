/** A queue in this process whose jobs do nothing, on a database of its own. */
export interface EmptyQueue extends AsyncDisposable {
  /** Adds jobs in one transaction. */
  enqueue(count: number): Promise<void>
  /** Works until so many have been run, up to `concurrency` at a time. */
  drain(count: number, concurrency: number): Promise<void>
}

export interface QueueSpeed {
  /** Jobs a second, in transactions of one, one after the other. */
  readonly addedByOne: number
  readonly addedByHundred: number
  /** Jobs a second. */
  readonly run: number
  /** Milliseconds of CPU it took to run one; the database's only where that is in this process. */
  readonly cpuMs: number
}

const warmUp = 500
/** Transactions of one may be synced one by one: fewer of them say as much. */
const fewer = 10

export async function measureQueue(
  queue: EmptyQueue,
  count: number,
  concurrency: number,
): Promise<QueueSpeed> {
  await enqueueAll(queue, warmUp, 100)
  await queue.drain(warmUp, concurrency)
  const ones = Math.ceil(count / fewer)
  const addedByOne = ones / (await secondsOf(() => enqueueAll(queue, ones, 1)))
  await queue.drain(ones, concurrency)
  const addedByHundred = count / (await secondsOf(() => enqueueAll(queue, count, 100)))
  const before = process.cpuUsage()
  const run = count / (await secondsOf(() => queue.drain(count, concurrency)))
  const { user, system } = process.cpuUsage(before)
  return { addedByOne, addedByHundred, run, cpuMs: (user + system) / 1e3 / count }
}

async function enqueueAll(queue: EmptyQueue, count: number, batch: number): Promise<void> {
  for (let left = count; left > 0; left -= batch) await queue.enqueue(Math.min(batch, left))
}

async function secondsOf(work: () => Promise<void>): Promise<number> {
  const begun = performance.now()
  await work()
  return (performance.now() - begun) / 1_000
}
