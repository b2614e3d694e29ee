import type { Logger } from '../operations/logger.ts'
import type { QueueReport } from './worker/reports.ts'

/** Writes what happens in the queue into the log. */
export function logReport(logger: Logger, report: QueueReport): void {
  const { type, ...rest } = report
  const { error, ...about } = 'error' in rest ? rest : { ...rest, error: undefined }
  const line = error === undefined ? about : { ...about, err: error }
  logger[levelOf(type)](line, `job ${type}`)
}

function levelOf(type: QueueReport['type']): 'debug' | 'info' | 'warn' | 'error' {
  switch (type) {
    case 'done':
      return 'debug'
    case 'refunded':
    case 'recovered':
      return 'info'
    case 'retry':
    case 'postponed':
    case 'lease-lost':
      return 'warn'
    case 'dead':
    case 'trouble':
      return 'error'
    default:
      return type satisfies never
  }
}
