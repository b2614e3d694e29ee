// Turns vitest's JSON report into one line. A test file that could not be loaded counts as failed.
import { readFileSync } from 'node:fs'

const report = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const unloaded = report.testResults.filter(
  (file) => file.status === 'failed' && file.assertionResults.length === 0,
).length
const failed = report.numFailedTests + unloaded
process.stdout.write(`${report.numPassedTests} passed, ${failed} failed\n`)
process.exitCode = failed > 0 || !report.success ? 1 : 0
