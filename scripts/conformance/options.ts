import { parseArgs } from 'node:util'
import type { Access } from './engine/discover.ts'
import { tables } from './tables/index.ts'

export const usage = `usage: npm run conformance -- --target URL [options]
  --target URL       where uploads are created, such as http://127.0.0.1:8080/files
  --only A,B,…       tables to run, as they are called in what is printed
  --content PATH     where content is read, with {id} for the last segment of an upload's URL;
                     left out: GET of that URL, redirects followed
  --header 'N: V'    a header of every request, such as Authorization; may be given several times
  --patience N       seconds to wait for an answer, or for what is to come (10 when left out)
  --json             prints all results as JSON
  --list             prints the rows and runs nothing
Exit code 1 says that the server breaks a MUST.`

export interface Options extends Access {
  readonly only: ReadonlySet<string> | undefined
  readonly json: boolean
  readonly list: boolean
}

/** @throws Error with one line that says what is wrong. */
export function readOptions(args: readonly string[]): Options {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean', default: false } as const
  const { values } = parseArgs({
    args: [...args],
    options: {
      target: text,
      only: text,
      content: text,
      header: { ...text, multiple: true, default: [] },
      patience: { ...text, default: '10' },
      json: flag,
      list: flag,
    },
  })
  return {
    target: target(values.target, values.list),
    only: values.only === undefined ? undefined : names(values.only),
    contentTemplate: values.content,
    headers: Object.fromEntries(values.header.map(header)),
    patienceMs: seconds(values.patience) * 1000,
    settleMs: seconds(values.patience) * 1000,
    json: values.json,
    list: values.list,
  }
}

function target(value: string | undefined, list: boolean): URL {
  if (value === undefined && list) return new URL('http://127.0.0.1/')
  if (value === undefined) throw new Error('--target is missing')
  if (!/^https?:/.test(value) || !URL.canParse(value)) {
    throw new Error(`--target ${value}: expected a URL of http or https`)
  }
  return new URL(value)
}

function names(list: string): Set<string> {
  const wanted = new Set(list.split(',').filter(Boolean))
  const known = new Set(tables.map(({ name }) => name))
  for (const name of wanted) {
    if (!known.has(name))
      throw new Error(`--only ${name}: expected some of ${[...known].join(', ')}`)
  }
  return wanted
}

function header(line: string): [string, string] {
  const [, name, value] = /^([!#$%&'*+.^_`|~\w-]+):\s*(.*)$/.exec(line) ?? []
  if (name === undefined || value === undefined) {
    throw new Error(`--header ${line}: expected "Name: value"`)
  }
  return [name, value]
}

function seconds(value: string): number {
  if (!/^[1-9]\d{0,3}$/.test(value)) throw new Error(`--patience ${value}: expected seconds`)
  return Number(value)
}
