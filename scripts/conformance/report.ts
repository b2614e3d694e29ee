/** What the suite prints. */
import { formatTable } from '../support/text.ts'
import type { Level, Table } from './engine/row.ts'
import type { RowResult } from './engine/run-row.ts'
import { sourceOf, type TableResult } from './engine/run-tables.ts'

const levels: readonly Level[] = ['MUST', 'SHOULD', 'convention']

/** `ietf-append (draft-05)`. */
export function titleOf({ name, interop, specification }: Table): string {
  return interop === undefined ? name : `${name} (${specification})`
}

/** `passed/run` of each level, by table; then every row that failed. */
export function formatReport(results: readonly TableResult[], notes: readonly string[]): string {
  const offered = results.filter(({ missing }) => missing.length === 0)
  const titled = offered.map((one) => ({ title: titleOf(one.table), results: one.results }))
  const rows = [...titled, sum(offered)].map(({ title, results: all }) => [
    title,
    ...levels.map((level) => share(all.filter(({ row }) => row.from.level === level))),
    String(all.filter(({ outcome }) => outcome === 'not applicable').length),
  ])
  const header = ['', ...levels.map((level) => `${level} passed/run`), 'not applicable']
  const unobservable = results.flatMap(({ table }) => table.unobservable).length
  return [
    formatTable(header, rows),
    '',
    ...results.filter(({ missing }) => missing.length > 0).map(notOffered),
    ...notes.map((note) => `Note: ${note}.`),
    `${unobservable} demands cannot be observed from outside (--list names them).`,
    ...offered.flatMap(failures),
  ].join('\n')
}

type Titled = Pick<TableResult, 'results'> & { readonly title: string }

function sum(results: readonly TableResult[]): Titled {
  return { title: 'all', results: results.flatMap((one) => one.results) }
}

function share(results: readonly RowResult[]): string {
  const run = results.filter(({ outcome }) => outcome !== 'not applicable')
  const passed = run.filter(({ outcome }) => outcome === 'passed')
  return run.length === 0 ? '–' : `${passed.length}/${run.length}`
}

function notOffered({ table, missing }: TableResult): string {
  return `${titleOf(table)}: not offered (${missing.join(', ')}), counts neither way.`
}

function failures({ table, results }: TableResult): string[] {
  return results
    .filter(({ outcome }) => outcome === 'failed')
    .flatMap((result) => ['', `${titleOf(table)}: ${describeFailure(table, result)}`])
}

/** The row, and what was wanted and seen. */
export function describeFailure(table: Table, { row, findings }: RowResult): string {
  const seen = findings.map(
    ({ during, what, wanted, seen }) => `  ${during}: ${what}: wanted ${wanted}, seen ${seen}`,
  )
  return [`${row.id} [${sourceOf(table, row)}] ${row.says}`, ...seen].join('\n')
}

/** Every row, and what cannot be observed. */
export function formatList(tables: readonly Table[]): string {
  return tables
    .flatMap((table) => [
      '',
      titleOf(table),
      ...table.rows.map((row) => `  ${row.id} [${sourceOf(table, row)}] ${row.says}`),
      ...table.unobservable.map(
        (row) =>
          `  (not observable) [${sourceOf(table, row)}] ${row.says} Because ${row.unobservable}.`,
      ),
    ])
    .join('\n')
}

/** Whether the server breaks a MUST. */
export function breaksMust(results: readonly TableResult[]): boolean {
  return results.some((one) =>
    one.results.some(({ outcome, row }) => outcome === 'failed' && row.from.level === 'MUST'),
  )
}

export function toJson(results: readonly TableResult[], notes: readonly string[]): string {
  const tables = results.map(({ table, missing, results: all }) => ({
    table: table.name,
    specification: table.specification,
    offered: missing.length === 0,
    missing,
    rows: all.map(({ row, outcome, findings, unchecked, reason }) => ({
      id: row.id,
      section: row.from.section,
      level: row.from.level,
      says: row.says,
      outcome,
      ...(findings.length > 0 && { findings }),
      ...(unchecked && { contentChecked: false }),
      ...(reason && { reason }),
    })),
    unobservable: table.unobservable,
  }))
  return JSON.stringify({ notes, tables }, undefined, 2)
}
