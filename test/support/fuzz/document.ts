/** An OpenAPI 3.1 document, as far as requests can be made from it and answers held to it. */
import { z } from 'zod'

/** The subset of JSON Schema (2020-12) from which values are made. */
export interface Schema {
  readonly $ref?: string | undefined
  readonly type?: string | readonly string[] | undefined
  readonly enum?: readonly unknown[] | undefined
  readonly const?: unknown
  readonly properties?: Readonly<Record<string, Schema>> | undefined
  readonly required?: readonly string[] | undefined
  readonly additionalProperties?: unknown
  readonly items?: Schema | undefined
  readonly minItems?: number | undefined
  readonly maxItems?: number | undefined
  readonly minimum?: number | undefined
  readonly maximum?: number | undefined
  readonly exclusiveMinimum?: number | undefined
  readonly exclusiveMaximum?: number | undefined
  readonly minLength?: number | undefined
  readonly maxLength?: number | undefined
  readonly pattern?: string | undefined
  readonly format?: string | undefined
  readonly allOf?: readonly Schema[] | undefined
  readonly anyOf?: readonly Schema[] | undefined
  readonly oneOf?: readonly Schema[] | undefined
}

const texts = z.array(z.string())
const number = z.number().optional()

const schema: z.ZodType<Schema> = z.lazy(() =>
  z.object({
    $ref: z.string().optional(),
    type: z.union([z.string(), texts]).optional(),
    enum: z.array(z.unknown()).optional(),
    const: z.unknown().optional(),
    properties: z.record(z.string(), schema).optional(),
    required: texts.optional(),
    additionalProperties: z.unknown().optional(),
    items: schema.optional(),
    ...{ minItems: number, maxItems: number, minLength: number, maxLength: number },
    ...{ minimum: number, maximum: number, exclusiveMinimum: number, exclusiveMaximum: number },
    pattern: z.string().optional(),
    format: z.string().optional(),
    allOf: z.array(schema).optional(),
    anyOf: z.array(schema).optional(),
    oneOf: z.array(schema).optional(),
  }),
)

const parameter = z.object({
  name: z.string(),
  in: z.enum(['path', 'query', 'header', 'cookie']),
  required: z.boolean().default(false),
  schema: schema.default({}),
})
export type Parameter = z.infer<typeof parameter>

/** By media type; the schemas as they were written. */
const content = z.record(z.string(), z.object({ schema: z.unknown().optional() }))
export type Content = z.infer<typeof content>

const operation = z.object({
  parameters: z.array(z.unknown()).default([]),
  requestBody: z.unknown().optional(),
  responses: z.record(z.string(), z.unknown()),
})
const requestBody = z.object({ required: z.boolean().default(false), content })
const response = z.object({ content: content.default({}) })

const methods = ['get', 'head', 'post', 'put', 'patch', 'delete', 'options'] as const

export interface Operation {
  /** In upper case. */
  readonly method: string
  /** With its parameters in braces. */
  readonly path: string
  readonly parameters: readonly Parameter[]
  readonly body: z.infer<typeof requestBody> | undefined
  /** By status: `200`, `4XX` or `default`; what each may carry. */
  readonly responses: Readonly<Record<string, Content>>
}

export interface ApiDocument {
  readonly operations: readonly Operation[]
  /** `components.schemas`, as they were written. */
  readonly schemas: Readonly<Record<string, unknown>>
  /** Follows a `$ref`, if there is one. */
  resolve(of: Schema): Schema
  /** Reads a schema as it was written. */
  read(written: unknown): Schema
}

/** @throws when it is no such document, or a reference in it leads nowhere. */
export function readDocument(written: unknown): ApiDocument {
  const root = z
    .object({
      paths: z.record(z.string(), z.record(z.string(), z.unknown())),
      components: z.object({ schemas: z.record(z.string(), z.unknown()).default({}) }).prefault({}),
    })
    .parse(written)
  const follow = (value: unknown) => followReference(written, value)

  const readOperation = (method: string, path: string, value: unknown, shared: unknown) => {
    const described = operation.parse(value)
    const all = [...z.array(z.unknown()).default([]).parse(shared), ...described.parameters]
    const body = described.requestBody
    return {
      method: method.toUpperCase(),
      path,
      parameters: all.map((each) => parameter.parse(follow(each))),
      body: body === undefined ? undefined : requestBody.parse(follow(body)),
      responses: Object.fromEntries(
        Object.entries(described.responses).map(([status, each]) => [
          status,
          response.parse(follow(each)).content,
        ]),
      ),
    }
  }

  return {
    operations: Object.entries(root.paths).flatMap(([path, item]) =>
      methods
        .filter((method) => item[method] !== undefined)
        .map((method) => readOperation(method, path, item[method], item.parameters)),
    ),
    schemas: root.components.schemas,
    resolve: (of) => (of.$ref === undefined ? of : schema.parse(follow(of))),
    read: (one) => schema.parse(one ?? {}),
  }
}

function followReference(root: unknown, value: unknown): unknown {
  const reference = z.object({ $ref: z.string() }).safeParse(value)
  if (!reference.success) return value
  const { $ref } = reference.data
  const target = $ref
    .replace(/^#\//, '')
    .split('/')
    .reduce<unknown>((at, key) => z.record(z.string(), z.unknown()).parse(at)[key], root)
  if (target === undefined) throw new Error(`${$ref} leads nowhere`)
  return followReference(root, target)
}
