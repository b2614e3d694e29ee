/** Runs every row of the conformance tables as a test, against the started program. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Discovered, discover } from '../../../scripts/conformance/engine/discover.ts'
import type { Row, Table } from '../../../scripts/conformance/engine/row.ts'
import { runRow } from '../../../scripts/conformance/engine/run-row.ts'
import { missingFor, serverFor, sourceOf } from '../../../scripts/conformance/engine/run-tables.ts'
import { describeFailure, titleOf } from '../../../scripts/conformance/report.ts'
import { type Deployment, deploymentKinds } from '../../support/deployments.ts'

/** Both storages and both databases, each once. */
const kinds = deploymentKinds.filter(({ name }) =>
  ['disk and sqlite', 's3 and postgres'].includes(name),
)
const patience = { patienceMs: 20_000, settleMs: 20_000 }
const rowTimeoutMs = 90_000

/** Landfall has no such limit, and takes unfinished partials: these rows are for others. */
const forOthers = ['limit:min-append-size', 'concatenation-unfinished']

export interface Selection {
  readonly tables: readonly Table[]
  readonly rows: (row: Row) => boolean
  readonly settings: Readonly<Record<string, string>>
}

export function conformance({ tables, rows, settings }: Selection): void {
  const wanted = tables
    .map((table) => ({ table, title: titleOf(table), chosen: chosenRows(table, rows) }))
    .filter(({ chosen }) => chosen.length > 0)
  describe.each(kinds)('Landfall on $name', ({ create }) => {
    let deployment: Deployment
    let discovered: Discovered
    beforeAll(async () => {
      deployment = await create()
      const program = await deployment.start(settings)
      const target = new URL('/files', program.url)
      const contentTemplate = '/v1/uploads/{id}/content'
      discovered = await discover({ target, headers: {}, ...patience, contentTemplate })
    })
    afterAll(() => deployment?.[Symbol.asyncDispose]())

    describe.each(wanted)('$title', ({ table, chosen }) => {
      it('is offered', () => {
        expect(missingFor(table, discovered)).toEqual([])
      })
      it.concurrent.each(chosen)('$title', { timeout: rowTimeoutMs }, async ({ row }) => {
        const result = await runRow(row, serverFor(table, discovered))
        if (result.outcome === 'failed') throw new Error(describeFailure(table, result))
        expect(result).toMatchObject({ outcome: 'passed', unchecked: false })
      })
    })
  })
}

function chosenRows(table: Table, rows: Selection['rows']) {
  return table.rows
    .filter((row) => rows(row) && !isForOthers(row))
    .map((row) => ({ row, title: titleOfRow(table, row) }))
}

function isForOthers({ needs = [], lacks = [] }: Row): boolean {
  return needs.includes('limit:min-append-size') || lacks.some((name) => forOthers.includes(name))
}

function titleOfRow(table: Table, row: Row): string {
  return `${row.id} [${sourceOf(table, row)}]: ${row.says}`
}
