import { expect, it } from 'vitest'
import { must, type Row, type Table } from '../../../scripts/conformance/engine/row.ts'
import { runTable } from '../../../scripts/conformance/engine/run-tables.ts'
import { discoveredAs, targetOf, tinyServer } from './tiny-server.ts'

const row = (id: string): Row => ({
  id,
  from: must('Core'),
  says: 'It is answered.',
  steps: [
    { kind: 'send', request: { method: 'GET', to: `{target}/${id}` }, expect: { status: 200 } },
  ],
})

const ids = ['a', 'b', 'c', 'd', 'e', 'f', 'g']
const table: Table = {
  name: 'tus-core',
  specification: 'tus',
  needs: ['tus'],
  rows: ids.map(row),
  unobservable: [],
}

/** Answers the later rows first. */
const backwards = () => {
  const waiting: (() => void)[] = []
  let asked = 0
  return tinyServer((request, response) => {
    waiting.push(() => response.writeHead(request.url?.endsWith('c') ? 500 : 200).end())
    asked += 1
    if (waiting.length < 2 && asked < ids.length) return
    for (const answer of waiting.splice(0).reverse()) answer()
  })
}

it('results come in the order of the rows, whichever was answered first', async () => {
  await using tiny = await backwards()
  const { results, missing } = await runTable(table, discoveredAs(targetOf(tiny, ['tus'])))
  expect(missing).toEqual([])
  expect(results.map((result) => result.row.id)).toEqual(ids)
  const failed = results.filter(({ outcome }) => outcome === 'failed')
  expect(failed.map((result) => result.row.id)).toEqual(['c'])
})

it('of a table that is not offered nothing is asked', async () => {
  let asked = 0
  await using tiny = await tinyServer((_, response) => {
    asked += 1
    response.end()
  })
  const result = await runTable(table, discoveredAs(targetOf(tiny)))
  expect(result).toMatchObject({ missing: ['tus'], results: [] })
  expect(asked).toBe(0)
})
