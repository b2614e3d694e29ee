/** Holds answers to what the document says of them. */
import { z } from 'zod'
import type { ApiDocument, Content } from './document.ts'
import type { FuzzRequest } from './requests.ts'
import type { FuzzAnswer } from './send.ts'

const problemType = 'application/problem+json'

export class Checker {
  readonly #definitions: unknown
  readonly #schemas = new Map<unknown, z.ZodType>()

  constructor({ schemas }: ApiDocument) {
    this.#definitions = asJsonSchema(schemas)
  }

  /** What is wrong with an answer; undefined when nothing is. */
  check({ operation, method }: FuzzRequest, answer: FuzzAnswer): string | undefined {
    const { status } = answer
    if (status >= 500) return `is answered ${status}`
    const type = answer.headers['content-type']?.split(';')[0]?.trim().toLowerCase()
    const wrongProblem = type === problemType ? wrongWithProblem(answer, method) : undefined
    if (wrongProblem) return wrongProblem
    if (!operation) return undefined
    const described = responseOf(operation.responses, status)
    if (!described) return `is answered ${status}, which is not documented`
    if (status === 401 && !answer.headers['www-authenticate']) return '401 says no WWW-Authenticate'
    if (method === 'HEAD' || (answer.body.length === 0 && type === undefined)) return undefined
    const [range, media] =
      Object.entries(described).find(([range]) => matches(range, type ?? '')) ?? []
    if (!media) return `${status} is answered in ${type}, which is not documented`
    // A file in the type that its owner gave it: nobody says that it is what it is called.
    if (range === '*/*') return undefined
    if (!/\bjson\b/.test(type ?? '') || media.schema === undefined) return undefined
    const wrong = this.#wrongWith(answer.body, media.schema)
    return wrong && `${status} does not match its schema: ${wrong}`
  }

  #wrongWith(body: Buffer, written: unknown): string | undefined {
    const value = parseJson(body)
    if (!value) return 'it is no JSON'
    const { error } = this.#schemaOf(written).safeParse(value.json)
    if (!error) return undefined
    // Numbers of items would make one fault look like many.
    const reasons = error.issues.map(
      ({ path, message }) =>
        `${path.map((each) => (typeof each === 'number' ? '[]' : String(each))).join('.')}: ${message}`,
    )
    return [...new Set(reasons)].join('; ')
  }

  #schemaOf(written: unknown): z.ZodType {
    const known = this.#schemas.get(written)
    if (known) return known
    const whole = { ...Object(asJsonSchema(written)), $defs: this.#definitions }
    const made = z.fromJSONSchema(whole)
    this.#schemas.set(written, made)
    return made
  }
}

function wrongWithProblem({ status, body }: FuzzAnswer, method: string): string | undefined {
  if (method === 'HEAD') return undefined
  const said = z.object({ status: z.number() }).safeParse(parseJson(body)?.json)
  return said.data?.status === status ? undefined : `${status} is a problem of another status`
}

function parseJson(body: Buffer): { readonly json: unknown } | undefined {
  try {
    return { json: JSON.parse(body.toString()) }
  } catch {
    return undefined
  }
}

/**
 * By the most particular name that there is for a status. `default` would let through whatever was
 * forgotten: it is for where a request did not get, as with an empty id, whose path is another one.
 */
function responseOf(responses: Readonly<Record<string, Content>>, status: number) {
  const [first] = String(status)
  const elsewhere = status === 405 ? responses.default : undefined
  return responses[String(status)] ?? responses[`${first}XX`] ?? elsewhere
}

function matches(range: string, type: string): boolean {
  const name = range.split(';')[0]?.trim().toLowerCase() ?? ''
  if (name === '*/*') return type !== ''
  return name.endsWith('/*') ? type.startsWith(name.slice(0, -1)) : name === type
}

/** The schemas of OpenAPI as zod reads them. */
function asJsonSchema(written: unknown): unknown {
  if (Array.isArray(written)) return written.map(asJsonSchema)
  if (typeof written !== 'object' || written === null) return written
  const result = Object.fromEntries(
    Object.entries(written).map(([key, value]) => [
      key,
      key === '$ref' && typeof value === 'string'
        ? value.replace('#/components/schemas/', '#/$defs/')
        : asJsonSchema(value),
    ]),
  )
  // Zod takes it for a whole URL, which it need not be (JSON Schema Validation 7.3.5).
  if (result.format === 'uri-reference') delete result.format
  return result
}
