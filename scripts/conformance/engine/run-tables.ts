/** Runs tables, a few rows at a time: they share nothing but the server. */
import type { Discovered } from './discover.ts'
import type { Row, Table, Unobservable } from './row.ts'
import { type RowResult, runRow } from './run-row.ts'
import type { Server } from './server.ts'

const rowsAtATime = 4

export interface TableResult {
  readonly table: Table
  /** Features for want of which nothing was run. */
  readonly missing: readonly string[]
  readonly results: readonly RowResult[]
}

export function serverFor(table: Table, { tus, ietf }: Discovered): Server {
  return table.interop === undefined ? tus : ietf[table.interop]
}

/** What the server does not offer of what a table is about. */
export function missingFor(table: Table, discovered: Discovered): string[] {
  return table.needs.filter((feature) => !serverFor(table, discovered).features.has(feature))
}

export async function runTable(table: Table, discovered: Discovered): Promise<TableResult> {
  const missing = missingFor(table, discovered)
  if (missing.length > 0) return { table, missing, results: [] }
  const server = serverFor(table, discovered)
  const results: RowResult[] = []
  const waiting = table.rows.map((row, index) => ({ row, index }))
  const worker = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      results[next.index] = await runRow(next.row, server)
    }
  }
  await Promise.all(Array.from({ length: rowsAtATime }, worker))
  return { table, missing, results }
}

/** `tus: Core/HEAD, MUST`. */
export function sourceOf({ specification }: Table, { from }: Row | Unobservable): string {
  return `${specification}: ${from.section}, ${from.level}`
}
