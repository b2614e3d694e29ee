import { parseArgs } from 'node:util'
import { newSeed } from '../../test/support/random.ts'

export const usage = `usage: npm run torture -- [options]
  --seconds N        how long to torture at least (60 when no goal is given)
  --kills N          how often to kill the server at least
  --faults N         how many faults to inject at least, into S3 and the network together
  --storage KIND     disk or s3 (disk when left out)
  --database KIND    sqlite or postgres (sqlite when left out)
  --endpoint URL     an S3 service that runs already, with AWS_ACCESS_KEY_ID and
                     AWS_SECRET_ACCESS_KEY; without it, one in memory
  --seed TEXT        draws the same uploads and faults again; their timing is never the same
  --clients N        how many clients upload at a time (8 when left out)
  --without A,B,…    kinds of faults to leave out, as the summary calls them; also kill, stop, outage;
                     and what clients are not to do: checksums, concatenation, ietf`

/** The run ends once all the goals that are set are reached. */
export interface Goals {
  readonly seconds: number
  readonly kills: number
  readonly faults: number
}

export interface TortureOptions {
  readonly goals: Goals
  readonly storage: 'disk' | 's3'
  readonly database: 'sqlite' | 'postgres'
  readonly endpoint: string | undefined
  readonly seed: string
  readonly clients: number
  readonly without: ReadonlySet<string>
}

const defaultSeconds = 60
const defaultClients = 8

/** @throws Error with one line that says what is wrong. */
export function readOptions(args: readonly string[]): TortureOptions {
  const text = { type: 'string' } as const
  const { values } = parseArgs({
    args: [...args],
    options: {
      seconds: text,
      kills: text,
      faults: text,
      storage: { ...text, default: 'disk' },
      database: { ...text, default: 'sqlite' },
      endpoint: text,
      seed: text,
      clients: text,
      without: { ...text, default: '' },
    },
  })
  const { seconds, kills, faults } = values
  const noGoal = seconds === undefined && kills === undefined && faults === undefined
  return {
    goals: {
      seconds: noGoal ? defaultSeconds : wholeNumber('seconds', seconds, 0),
      kills: wholeNumber('kills', kills, 0),
      faults: wholeNumber('faults', faults, 0),
    },
    storage: oneOf('storage', values.storage, ['disk', 's3']),
    database: oneOf('database', values.database, ['sqlite', 'postgres']),
    endpoint: values.endpoint === undefined ? undefined : url('endpoint', values.endpoint),
    seed: values.seed ?? newSeed(),
    clients: Math.max(1, wholeNumber('clients', values.clients, defaultClients)),
    without: new Set(values.without.split(',').filter(Boolean)),
  }
}

function wholeNumber(name: string, value: string | undefined, fallback: number): number {
  if (value === undefined) return fallback
  if (!/^\d{1,6}$/.test(value)) throw new Error(`--${name} ${value}: expected a whole number`)
  return Number(value)
}

function oneOf<T extends string>(name: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((one) => one === value)
  if (found === undefined) {
    throw new Error(`--${name} ${value}: expected ${allowed.join(' or ')}`)
  }
  return found
}

function url(name: string, value: string): string {
  if (!URL.canParse(value)) throw new Error(`--${name} ${value}: expected a URL`)
  return value.replace(/\/+$/, '')
}
