import { type DestinationStream, type Logger, pino } from 'pino'
import pretty from 'pino-pretty'

export type { Logger } from 'pino'

export const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]

/** Bytes that may wait for whoever reads the log. */
const mostUnread = 2 ** 20

/** JSON lines on standard output, or readable text when that is a terminal. */
export function createLogger(level: LogLevel): Logger {
  const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime }
  return process.stdout.isTTY
    ? pino(options, pretty({ sync: true, hideObject: true, translateTime: 'SYS:HH:MM:ss' }))
    : pino(options, linesTo(process.stdout))
}

/**
 * Lines for a stream whose reader may be slow, or gone, or have no room. They are dropped then, and
 * neither keep the program waiting nor end it; whoever reads on is told how many.
 */
function linesTo(stream: NodeJS.WriteStream): DestinationStream {
  let dropped = 0
  stream.on('error', () => {})
  return {
    write(line) {
      if (stream.writableLength >= mostUnread) {
        dropped += 1
        return
      }
      if (dropped > 0) stream.write(gap(dropped))
      dropped = 0
      stream.write(line)
    },
  }
}

function gap(dropped: number): string {
  const time = new Date().toISOString()
  const msg = 'lines of the log were dropped, since nobody read them'
  return `${JSON.stringify({ level: pino.levels.values.warn, time, dropped, msg })}\n`
}
