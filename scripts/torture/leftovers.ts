/** Deletes everything, and sees that nothing is left. */
import { setTimeout as delay } from 'node:timers/promises'
import { isMarked, tus } from './dialect.ts'
import { formatCounts } from './report.ts'
import type { Stage } from './stage.ts'
import { Violation } from './watch.ts'
import { newAgent, send } from './wire.ts'

const pauseMs = 250
const patienceMs = 30_000
/** Objects are removed by jobs, and one that failed in an outage waits before it is tried again. */
const emptyWithinMs = 180_000
const shownKeys = 20

/**
 * Deletes every upload the server knows of; clients never heard of some. Of those that were begun
 * with bytes that are wrong none may have any, and none may be there that was `refused`, by name.
 * Parts that nothing was made of are known from the database only.
 * @returns how many.
 */
export async function deleteAll(
  stage: Stage,
  refused: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<number> {
  let deleted = 0
  for (;;) {
    const listed = await listOf('/v1/uploads?limit=100', stage, signal)
    const uploads = listed.length > 0 ? listed : await stage.uploadsInDatabase()
    if (uploads.length === 0) return deleted
    for (const upload of uploads) {
      checkUnknown(upload, refused)
      await deleteOne(`${stage.program.url}/files/${upload.id}`, signal)
    }
    deleted += uploads.length
  }
}

/** @throws Violation */
export function checkUnknown({ id, filename, offset }: Listed, refused: ReadonlySet<string>): void {
  if (typeof filename !== 'string' || !isMarked(filename)) return
  if (refused.has(filename)) throw new Violation(`${filename} (${id}) was refused, and is there`)
  if (offset !== 0) throw new Violation(`${filename} (${id}) has ${offset} bytes that are wrong`)
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
  const images = await listOf('/v1/images?limit=100', stage, signal)
  const ids = images.map(({ id }) => id)
  if (ids.length > 0) throw new Violation(`images are left behind: ${ids.join(', ')}`)
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

interface Listed {
  readonly id: string
  readonly filename?: unknown
  readonly offset?: unknown
}

async function listOf(path: string, stage: Stage, signal: AbortSignal): Promise<Listed[]> {
  const response = await fetch(`${stage.program.url}${path}`, { signal })
  if (!response.ok) throw new Violation(`GET ${path} was answered ${response.status}`)
  const { items } = (await response.json()) as { items: Listed[] }
  return items
}

async function deleteOne(url: string, signal: AbortSignal): Promise<void> {
  const agent = newAgent()
  const deadline = Date.now() + patienceMs
  try {
    for (;;) {
      const request = { method: 'DELETE', url, headers: tus.headers, patienceMs, signal } as const
      const { status } = await send(agent, request)
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
