/** Deletes everything, and sees that nothing is left. */
import { setTimeout as delay } from 'node:timers/promises'
import { formatCounts } from './report.ts'
import type { Stage } from './stage.ts'
import { newAgent, send } from './tus.ts'
import { Violation } from './watch.ts'

const pauseMs = 250
const patienceMs = 30_000
/** Objects are removed by jobs, and one that failed in an outage waits before it is tried again. */
const emptyWithinMs = 180_000
const shownKeys = 20

/** Deletes every upload the server knows of; clients never heard of some. @returns how many. */
export async function deleteAll(stage: Stage, signal: AbortSignal): Promise<number> {
  let deleted = 0
  for (;;) {
    const ids = await idsOf('/v1/uploads?limit=100', stage, signal)
    if (ids.length === 0) return deleted
    for (const id of ids) await deleteOne(`${stage.program.url}/files/${id}`, signal)
    deleted += ids.length
  }
}

/** Waits until storage, the database and the API know of nothing any more. */
export async function untilEmpty(stage: Stage, signal: AbortSignal): Promise<void> {
  const deadline = Date.now() + emptyWithinMs
  for (;;) {
    const left = await leftIn(stage)
    if (left.length === 0) break
    if (Date.now() > deadline) {
      const shown = left.slice(0, shownKeys).join('\n  ')
      throw new Violation(`${left.length} things are left behind:\n  ${shown}`)
    }
    await delay(pauseMs, undefined, { signal })
  }
  const images = await idsOf('/v1/images?limit=100', stage, signal)
  if (images.length > 0) throw new Violation(`images are left behind: ${images.join(', ')}`)
}

/** A job may wait for its next attempt although nothing is left to do: an answer was lost. */
async function leftIn(stage: Stage): Promise<string[]> {
  const { keys, multiparts } = await stage.contents()
  const uploads = multiparts.map((id) => `multipart upload ${id}`)
  const rows = [...(await stage.leftoversInDatabase())].map(
    ([table, count]) => `${table} ×${count}`,
  )
  return [...keys, ...uploads, ...rows]
}

/** Looks into the database, past the server, which has to be stopped. */
export async function checkDatabase(stage: Stage): Promise<void> {
  const left = await stage.leftoversInDatabase()
  if (left.size > 0) throw new Violation(`rows are left behind: ${formatCounts(left)}`)
}

async function idsOf(path: string, stage: Stage, signal: AbortSignal): Promise<string[]> {
  const response = await fetch(`${stage.program.url}${path}`, { signal })
  if (!response.ok) throw new Violation(`GET ${path} was answered ${response.status}`)
  const { items } = (await response.json()) as { items: { id: string }[] }
  return items.map(({ id }) => id)
}

async function deleteOne(url: string, signal: AbortSignal): Promise<void> {
  const agent = newAgent()
  const deadline = Date.now() + patienceMs
  try {
    for (;;) {
      const { status } = await send(agent, { method: 'DELETE', url, patienceMs, signal })
      if ([204, 404, 410].includes(status)) return
      if (status !== 423 || Date.now() > deadline) {
        throw new Violation(`DELETE ${url} was answered ${status}`)
      }
      await delay(pauseMs, undefined, { signal })
    }
  } finally {
    agent.destroy()
  }
}
