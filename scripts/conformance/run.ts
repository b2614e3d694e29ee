/**
 * `npm run conformance -- --target http://127.0.0.1:8080/files`: asks a server for everything that
 * tus 1.0.0 and the IETF's resumable uploads demand of one. Exit code 1 says that it breaks a MUST.
 */
import { discover } from './engine/discover.ts'
import { runTable, type TableResult } from './engine/run-tables.ts'
import { type Options, readOptions, usage } from './options.ts'
import { breaksMust, formatList, formatReport, titleOf, toJson } from './report.ts'
import { tables } from './tables/index.ts'

const options = read()
const wanted = tables.filter(({ name }) => options.only?.has(name) ?? true)

if (options.list) {
  console.log(formatList(wanted))
} else {
  await run().catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error)
    process.exitCode = 2
  })
}

function read(): Options {
  try {
    return readOptions(process.argv.slice(2))
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    console.error(usage)
    process.exit(2)
  }
}

async function run(): Promise<void> {
  const discovered = await discover(options)
  const results: TableResult[] = []
  for (const table of wanted) {
    if (!options.json) process.stderr.write(`${titleOf(table)} …\n`)
    results.push(await runTable(table, discovered))
  }
  const { notes } = discovered
  console.log(options.json ? toJson(results, notes) : formatReport(results, notes))
  if (breaksMust(results)) process.exitCode = 1
}
