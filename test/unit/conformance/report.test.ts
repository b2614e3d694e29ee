import { expect, it } from 'vitest'
import type { Level, Row, Table } from '../../../scripts/conformance/engine/row.ts'
import type { RowOutcome, RowResult } from '../../../scripts/conformance/engine/run-row.ts'
import type { TableResult } from '../../../scripts/conformance/engine/run-tables.ts'
import {
  breaksMust,
  formatList,
  formatReport,
  toJson,
} from '../../../scripts/conformance/report.ts'

const row = (id: string, level: Level): Row => ({
  id,
  from: { level, section: 'Core' },
  says: 'It works.',
  steps: [],
})
const table: Table = {
  name: 'tus-core',
  specification: 'tus',
  needs: ['tus'],
  rows: [row('first', 'MUST')],
  unobservable: [
    { from: { level: 'SHOULD', section: 'Core' }, says: 'It hurries.', unobservable: 'who knows' },
  ],
}
const finding = { during: 'HEAD {a}', what: 'status', wanted: '200', seen: '500' }
const result = (id: string, level: Level, outcome: RowOutcome): RowResult => ({
  row: row(id, level),
  outcome,
  findings: outcome === 'failed' ? [finding] : [],
  unchecked: false,
})
const results = (...all: RowResult[]): TableResult[] => [{ table, missing: [], results: all }]

it('passed rows are counted by level; what is not applicable counts neither way', () => {
  const report = formatReport(
    results(
      result('a', 'MUST', 'passed'),
      result('b', 'MUST', 'failed'),
      result('c', 'MUST', 'not applicable'),
      result('d', 'SHOULD', 'passed'),
    ),
    [],
  )
  expect(report).toMatch(/tus-core\s+1\/2\s+1\/1\s+–\s+1\n/)
  expect(report).toMatch(/all\s+1\/2\s+1\/1\s+–\s+1\n/)
})

it('a row that failed is named with its section, what was wanted and what was seen', () => {
  const report = formatReport(results(result('b', 'MUST', 'failed')), [])
  expect(report).toContain('tus-core: b [tus: Core, MUST] It works.')
  expect(report).toContain('  HEAD {a}: status: wanted 200, seen 500')
})

it('a table that is not offered says so', () => {
  const report = formatReport([{ table, missing: ['tus'], results: [] }], ['something was odd'])
  expect(report).toContain('tus-core: not offered (tus), counts neither way.')
  expect(report).toContain('Note: something was odd.')
})

it('only a MUST that failed makes a server wrong', () => {
  expect(breaksMust(results(result('a', 'SHOULD', 'failed')))).toBe(false)
  expect(breaksMust(results(result('a', 'convention', 'failed')))).toBe(false)
  expect(breaksMust(results(result('a', 'MUST', 'not applicable')))).toBe(false)
  expect(breaksMust(results(result('a', 'MUST', 'failed')))).toBe(true)
})

it('the list names what cannot be observed, and why', () => {
  const list = formatList([table])
  expect(list).toContain('first [tus: Core, MUST] It works.')
  expect(list).toContain('(not observable) [tus: Core, SHOULD] It hurries. Because who knows.')
})

it('JSON holds everything', () => {
  const json: unknown = JSON.parse(toJson(results(result('b', 'MUST', 'failed')), ['odd']))
  expect(json).toMatchObject({
    notes: ['odd'],
    tables: [
      {
        table: 'tus-core',
        offered: true,
        rows: [{ id: 'b', outcome: 'failed', findings: [finding] }],
      },
    ],
  })
})
