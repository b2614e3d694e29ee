// Turns vitest's JSON reports, and numbers of what else was run, into one line. A test file that could
// not be loaded counts as failed. Arguments: passed, failed, reports.
import { readFileSync } from 'node:fs'

const [passedElse, failedElse, ...files] = process.argv.slice(2)
const reports = files.map((file) => JSON.parse(readFileSync(file, 'utf8')))
const sum = (numberOf) => reports.reduce((total, report) => total + numberOf(report), 0)
const unloaded = (report) =>
  report.testResults.filter(
    (file) => file.status === 'failed' && file.assertionResults.length === 0,
  ).length

const passed = Number(passedElse) + sum((report) => report.numPassedTests)
const failed = Number(failedElse) + sum((report) => report.numFailedTests + unloaded(report))
process.stdout.write(`${passed} passed, ${failed} failed\n`)
process.exitCode = failed > 0 || reports.some((report) => !report.success) ? 1 : 0
