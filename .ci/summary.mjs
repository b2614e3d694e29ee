// Turns vitest's JSON reports, and numbers of what else was run, into one line, after what is known
// of each failure: whoever sees only the end of a long output still learns what to look at. A test
// file that could not be loaded counts as failed. Arguments: passed, failed, reports.
import { readFileSync } from 'node:fs'
import { relative } from 'node:path'
import { stripVTControlCharacters } from 'node:util'

const linesEach = 14
const failuresTold = 12

const tell = (text) => process.stdout.write(`${text}\n`)

const [passedElse, failedElse, ...files] = process.argv.slice(2)
const reports = files.map((file) => JSON.parse(readFileSync(file, 'utf8')))
const sum = (numberOf) => reports.reduce((total, report) => total + numberOf(report), 0)
const isUnloaded = (file) => file.status === 'failed' && file.assertionResults.length === 0

const failures = reports
  .flatMap((report) => report.testResults)
  .flatMap((file) => {
    const path = relative(process.cwd(), file.name)
    const tests = file.assertionResults.filter(({ status }) => status === 'failed')
    return [
      ...(isUnloaded(file) ? [{ title: path, message: file.message }] : []),
      ...tests.map(({ fullName, failureMessages }) => ({
        title: `${path} > ${fullName}`,
        message: failureMessages.join('\n'),
      })),
    ]
  })
for (const { title, message } of failures.slice(0, failuresTold)) {
  const lines = stripVTControlCharacters(message)
    .split('\n')
    .filter((line) => !line.includes('/node_modules/'))
    .slice(0, linesEach)
  tell(`failed: ${title}\n${lines.map((line) => `    ${line}`).join('\n')}`)
}
if (failures.length > failuresTold) tell(`and ${failures.length - failuresTold} more`)

const passed = Number(passedElse) + sum((report) => report.numPassedTests)
const failed =
  Number(failedElse) +
  sum((report) => report.numFailedTests + report.testResults.filter(isUnloaded).length)
tell(`${passed} passed, ${failed} failed`)
process.exitCode = failed > 0 || reports.some((report) => !report.success) ? 1 : 0
