/**
 * How a setting is declared and read. Each folder declares its own settings with these; `config.ts`
 * joins them and is the only reader of the environment; the README's table is made from them.
 */
import { AppError } from './errors.ts'

export interface Setting<T> {
  /** The environment variable. */
  readonly name: string
  /** What is used when the variable is unset or empty; no default means "not set". */
  readonly default?: string
  /** What a good value looks like, to complete the sentence "expected …". */
  readonly expected: string
  /** Whether its value is never to be shown, not even where it is wrong. */
  readonly secret?: true
  /** One sentence for the README's table. */
  readonly description: string
  /** Returns undefined for a value that is not as expected. */
  parse(raw: string): T | undefined
}

export type Settings = Record<string, Setting<unknown>>
export type Environment = Readonly<Record<string, string | undefined>>

type ValueOf<S> = S extends { readonly default: string; parse(raw: string): infer T | undefined }
  ? T
  : S extends Setting<infer T>
    ? T | undefined
    : never
export type Values<S extends Settings> = { readonly [K in keyof S]: ValueOf<S[K]> }

/** Thrown for a setting that cannot be used; the message is the one line the operator sees. */
export class SettingError extends AppError {
  constructor(name: string, value: string, expected: string) {
    super('bad-setting', 500, `${name}=${withoutPassword(value)}: expected ${expected}`)
  }
}

/** Whatever stands before the last @ may be a password, also where the URL is mistyped. */
function withoutPassword(value: string): string {
  return value.replace(/^(\w+:\/\/)?.*@/s, '$1***@')
}

/**
 * Reads a group of settings from an environment.
 * @throws SettingError for the first value that is not as expected.
 */
export function readSettings<S extends Settings>(settings: S, env: Environment): Values<S> {
  const values = Object.entries(settings).map(([key, setting]) => {
    const raw = env[setting.name]?.trim() || setting.default
    if (raw === undefined) return [key, undefined]
    const value = setting.parse(raw)
    if (value === undefined) {
      throw new SettingError(setting.name, setting.secret ? '***' : raw, setting.expected)
    }
    return [key, value]
  })
  return Object.fromEntries(values)
}

const unitBytes: Record<string, number> = {
  '': 1,
  B: 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
}
const unitMilliseconds: Record<string, number> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}

/** An integer from `min` to `max`. */
export function parseInteger(min: number, max = Number.MAX_SAFE_INTEGER) {
  return (raw: string): number | undefined => {
    const value = /^\d{1,16}$/.test(raw) ? Number(raw) : Number.NaN
    return value >= min && value <= max ? value : undefined
  }
}

/** Bytes, plain (`1048576`) or with a binary unit (`64MiB`). */
export function parseSize(raw: string): number | undefined {
  return parseQuantity(raw, /^(\d{1,16})\s*(|B|KiB|MiB|GiB|TiB)$/, unitBytes)
}

/** Milliseconds from `90s`, `15m`, `24h` or `7d`. */
export function parseDuration(raw: string): number | undefined {
  return parseQuantity(raw, /^(\d{1,9})(s|m|h|d)$/, unitMilliseconds)
}

function parseQuantity(
  raw: string,
  form: RegExp,
  units: Record<string, number>,
): number | undefined {
  const [, amount, unit = ''] = form.exec(raw) ?? []
  const value = Number(amount) * (units[unit] ?? Number.NaN)
  return Number.isSafeInteger(value) ? value : undefined
}

/** One of a few words. */
export function parseOneOf<const T extends string>(...words: T[]) {
  return (raw: string): T | undefined => words.find((word) => word === raw)
}

export function parseBoolean(raw: string): boolean | undefined {
  if (/^(true|1|yes|on)$/i.test(raw)) return true
  if (/^(false|0|no|off)$/i.test(raw)) return false
  return undefined
}

/** An absolute http or https URL, without a trailing slash. */
export function parseHttpUrl(raw: string): string | undefined {
  const url = URL.parse(raw)
  return url && /^https?:$/.test(url.protocol) ? raw.replace(/\/+$/, '') : undefined
}
