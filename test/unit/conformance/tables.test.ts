import { describe, expect, it } from 'vitest'
import type { Row, Step } from '../../../scripts/conformance/engine/row.ts'
import { readOptions } from '../../../scripts/conformance/options.ts'
import { titleOf } from '../../../scripts/conformance/report.ts'
import { tables } from '../../../scripts/conformance/tables/index.ts'

/** Names that discovery and the engine put there. */
const given = /^(target|interop|progress|max-size(\+1)?|limit:max-size(\+1)?|\w+\.(path|location))$/

/** Names in braces that nothing defines before they are used. */
function unknownNames({ steps }: Row): string[] {
  const known = new Set<string>()
  return steps.flatMap((step) => {
    const used = [...JSON.stringify(withoutBytes(step)).matchAll(/\{([\w.:+-]+)\}/g)].map(
      ([, name]) => name ?? '',
    )
    if ('as' in step && step.as) known.add(step.as)
    const unknown = used.filter((name) => !given.test(name) && !known.has(name))
    if (step.kind === 'send' && step.remember) known.add(step.remember.name)
    return unknown
  })
}

function withoutBytes(step: Step): object {
  const request = 'request' in step ? { ...step.request, body: undefined } : undefined
  return { ...step, request, equals: undefined, prefixOf: undefined }
}

const titled = tables.map((table) => ({ title: titleOf(table), table }))

describe.each(titled)('the table $title', ({ table }) => {
  it('names every row once', () => {
    const ids = table.rows.map(({ id }) => id)
    expect(ids.filter((id, index) => ids.indexOf(id) !== index)).toEqual([])
  })

  it('has steps and a sentence in every row', () => {
    for (const row of table.rows) {
      expect(row.steps.length).toBeGreaterThan(0)
      expect(row.says).toMatch(/\.$/)
    }
  })

  it('uses no name before it is defined', () => {
    expect(table.rows.flatMap(unknownNames)).toEqual([])
  })

  it('begins every request that it finishes or cuts', () => {
    for (const { steps } of table.rows) {
      const begun = new Set<string>()
      for (const step of steps) {
        if (step.kind === 'begin') begun.add(step.call)
        if (step.kind === 'finish' || step.kind === 'cut') expect(begun).toContain(step.call)
      }
    }
  })
})

it('options tell the target, tables, content, headers and patience', () => {
  const args = ['--target', 'http://127.0.0.1:1/files', '--only', 'tus-core,ietf-offset', '--json']
  const options = readOptions([...args, '--header', 'Authorization: Bearer x', '--patience', '3'])
  expect(options).toMatchObject({
    only: new Set(['tus-core', 'ietf-offset']),
    json: true,
    headers: { Authorization: 'Bearer x' },
    patienceMs: 3000,
    settleMs: 3000,
  })
  expect(options.target.href).toBe('http://127.0.0.1:1/files')
})

it.each([
  [[], '--target is missing'],
  [['--target', 'files'], '--target files: expected a URL'],
  [['--target', 'ftp://a/b'], 'expected a URL of http'],
  [['--target', 'http://a', '--only', 'tus'], '--only tus: expected some of tus-core'],
  [['--target', 'http://a', '--patience', '0'], '--patience 0: expected seconds'],
  [['--target', 'http://a', '--header', 'x'], '--header x: expected "Name: value"'],
])('bad options are refused in one line: %j', (args, message) => {
  expect(() => readOptions(args)).toThrow(message)
})
