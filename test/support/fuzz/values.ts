/** Values that a schema allows, and such as it just does not. */
import fc from 'fast-check'
import type { ApiDocument, Schema } from './document.ts'

export type Value = fc.Arbitrary<unknown>

/** What is likely for a field by its name, besides what its schema says. */
export type Hint = (name: string) => Value | undefined

/** Texts on which programs stumble. */
export const oddTexts = [
  ...['', ' ', '\0', 'a\0b', '\ud800', 'a\udc00b', '\ufeff', '\u202eabc', 'e\u0301', 'ﷺ', '\r\n'],
  ...[
    '👩‍👩‍👧‍👦',
    '\u{10ffff}',
    '../../etc/passwd',
    "'; drop table posts; --",
    '%00',
    '%s%n',
    '{{1}}',
  ],
  ...['null', 'undefined', 'NaN', '-1', '1e400', '0x10', '__proto__', 'constructor', '<script>'],
] as const

const odd = fc.oneof(fc.constantFrom(...oddTexts), fc.string({ unit: 'binary', maxLength: 40 }))

const wrongTypes = fc.constantFrom<unknown>(null, true, 0, -1, 1.5, 'text', [], {}, [null], 1e300)

/** Characters of more than one UTF-16 unit make lengths differ by who counts. */
const characters = ['x', 'é', '漢', '🌊'] as const

export class Values {
  readonly #document: ApiDocument
  readonly #hint: Hint

  constructor(document: ApiDocument, hint: Hint) {
    this.#document = document
    this.#hint = hint
  }

  /** Mostly what is allowed; where a name tells more than the schema, mostly that. */
  fitting(written: Schema, name = ''): Value {
    const schema = this.#document.resolve(written)
    const hint = this.#hint(name)
    const made = this.#make(schema, name)
    return hint ? fc.oneof({ weight: 4, arbitrary: hint }, made) : made
  }

  /** What is off by a little: a bound passed, another type, a field too few or too many. */
  unfitting(written: Schema): Value {
    const schema = this.#document.resolve(written)
    const { minimum, maximum, minLength, maxLength, properties } = schema
    const bad: Value[] = [wrongTypes, odd]
    if (minimum !== undefined) bad.push(fc.constantFrom(minimum - 1, minimum - 0.5, -(2 ** 53)))
    if (maximum !== undefined) bad.push(fc.constantFrom(maximum + 1, maximum + 0.5, 2 ** 63))
    if (minLength) bad.push(textOf(minLength - 1))
    if (maxLength !== undefined) bad.push(textOf(maxLength + 1), textOf(maxLength * 20))
    if (properties) bad.push(...this.#unfittingObjects(schema))
    return fc.oneof(...bad)
  }

  #unfittingObjects(schema: Schema): Value[] {
    const fitting = this.fitting(schema).map((value) => ({ ...Object(value) }))
    const names = Object.keys(schema.properties ?? {})
    const extras = fc.constantFrom('extra', 'id', 'owner', '__proto__', 'constructor', '')
    const without = fc
      .tuple(fitting, fc.subarray(names, { minLength: Math.min(1, names.length) }))
      .map(([value, gone]) =>
        Object.fromEntries(Object.entries(value).filter(([name]) => !gone.includes(name))),
      )
    const more = fc
      .tuple(fitting, extras, fc.oneof(wrongTypes, odd))
      .map(([value, name, extra]) => Object.fromEntries([...Object.entries(value), [name, extra]]))
    const wrong = names.map((name) =>
      fc
        .tuple(fitting, this.unfitting(schema.properties?.[name] ?? {}))
        .map(([value, one]) => ({ ...value, [name]: one })),
    )
    return [without, more, ...wrong]
  }

  #make(schema: Schema, name: string): Value {
    const { type, anyOf, oneOf, allOf } = schema
    if (schema.enum) return fc.constantFrom(...schema.enum)
    if (schema.const !== undefined) return fc.constant(schema.const)
    const choices = anyOf ?? oneOf
    if (choices) return fc.oneof(...choices.map((each) => this.fitting(each, name)))
    if (allOf) {
      return fc
        .tuple(...allOf.map((each) => this.fitting(each, name)))
        .map((all) => Object.assign({}, ...all) as unknown)
    }
    if (Array.isArray(type)) {
      return fc.oneof(...type.map((each: string) => this.#make({ ...schema, type: each }, name)))
    }
    return this.#makeOfType(schema, name)
  }

  #makeOfType(schema: Schema, name: string): Value {
    const { items = {}, minItems = 0, maxItems = minItems + 3 } = schema
    switch (schema.type) {
      case 'string':
        return stringOf(schema)
      case 'integer':
      case 'number':
        return numberOf(schema)
      case 'boolean':
        return fc.boolean()
      case 'null':
        return fc.constant(null)
      case 'array':
        return fc.array(this.fitting(items, name), { minLength: minItems, maxLength: maxItems })
      default:
        return schema.properties ? this.#objectOf(schema) : fc.jsonValue({ maxDepth: 2 })
    }
  }

  #objectOf({ properties = {}, required = [] }: Schema): Value {
    const fields = Object.fromEntries(
      Object.entries(properties).map(([name, each]) => [name, this.fitting(each, name)]),
    )
    return fc.record(fields, {
      requiredKeys: Object.keys(fields).filter((x) => required.includes(x)),
    })
  }
}

function stringOf({ format, pattern, minLength = 0, maxLength }: Schema): Value {
  if (format === 'uuid') return fc.uuid()
  if (format === 'date-time') {
    const [min, max] = [new Date('1970-01-01'), new Date('2100-01-01')]
    return fc.date({ min, max, noInvalidDate: true }).map((date) => date.toISOString())
  }
  if (pattern !== undefined) return fc.oneof(fc.stringMatching(new RegExp(pattern)), odd)
  const longest = Math.min(maxLength ?? minLength + 60, minLength + 60)
  const usual = fc.string({ unit: 'grapheme-composite', minLength, maxLength: longest })
  const bounds = [textOf(minLength), textOf(maxLength ?? longest)]
  return fc.oneof({ weight: 3, arbitrary: usual }, odd, ...bounds)
}

/** Of so many characters (code points). */
function textOf(length: number): fc.Arbitrary<string> {
  return fc.constantFrom(...characters).map((each) => each.repeat(Math.min(length, 80_000)))
}

function numberOf(schema: Schema): Value {
  const { exclusiveMinimum, exclusiveMaximum } = schema
  const min = schema.minimum ?? (exclusiveMinimum === undefined ? 0 : exclusiveMinimum + 1)
  const max =
    schema.maximum ?? (exclusiveMaximum === undefined ? min + 2 ** 40 : exclusiveMaximum - 1)
  const bounds = fc.constantFrom(min, max)
  return fc.oneof(
    bounds,
    fc.integer({ min, max: Math.min(max, min + 100) }),
    fc.maxSafeNat().map((n) => min + (n % (max - min + 1))),
  )
}
