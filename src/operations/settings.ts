import { parseOneOf, type Setting } from '../settings.ts'
import { type LogLevel, logLevels } from './logger.ts'

export const operationsSettings = {
  logLevel: {
    name: 'LOG_LEVEL',
    default: 'info',
    expected: `one of ${logLevels.join(', ')}`,
    description:
      'How much is logged, as JSON lines on standard output (readable text on a terminal).',
    parse: parseOneOf(...logLevels),
  } satisfies Setting<LogLevel>,
}
