import { type Logger, pino } from 'pino'
import pretty from 'pino-pretty'

export type { Logger } from 'pino'

export const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]

/**
 * JSON lines on standard output, or readable text when that is a terminal. A line is written before
 * the call returns, so that the last one of a process that dies is there, too. When nobody reads
 * them any more, they are dropped: what is left over would be tried again at the exit, for ever.
 */
export function createLogger(level: LogLevel): Logger {
  const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime }
  return process.stdout.isTTY
    ? pino(options, pretty({ sync: true, hideObject: true, translateTime: 'SYS:HH:MM:ss' }))
    : pino(options, pino.destination({ sync: true }))
}
