/** The OpenAPI 3.1 document, made of the schemas that check what comes in. */
import type { OpenAPIHono } from '@hono/zod-openapi'
import { type Rule, ruleOf } from '../auth/access.ts'
import type { HttpEnvironment } from './context.ts'
import { answerFixed, type FixedContent, fixedContent } from './fixed-content.ts'
import { problemType } from './problem.ts'
import { field, secondsField } from './responses.ts'

export interface ApiDescription {
  readonly version: string
  /** What clients call this server; undefined: whatever they found the document at. */
  readonly publicUrl?: string | undefined
}

type App = Pick<OpenAPIHono<HttpEnvironment>, 'get' | 'getOpenAPI31Document' | 'openAPIRegistry'>
type Document = ReturnType<App['getOpenAPI31Document']>
type Operation = NonNullable<NonNullable<Document['paths']>[string]['get']>

const description = `Resumable uploads, and what becomes of them.

Times are RFC 3339 in UTC, sizes are bytes. Lists are \`{items, nextCursor}\`: send \`nextCursor\` as \`cursor\`
for the next page, until it is null. Errors are problem documents (RFC 9457) with a \`code\` that stays; what
is not yours is 404, exactly as what does not exist. Whatever answers GET answers HEAD.

\`x-access\` of an operation says who may do it: \`anyone\`; a \`user\`, who is whoever has a token; of
what it is about its \`owner\`, or a \`viewer\`, to whom the owner has shown it; whoever has a \`link\` that
this server signed; the \`holder\` of the URL of an unfinished upload; the \`storage\`; an \`admin\`.`

const tags = [
  [
    'Uploads',
    'Files on their way, by tus 1.0 or the resumable uploads of the IETF, and their bytes.',
  ],
  ['Upload links', 'Files in one `PUT`, to the bucket itself where there is one.'],
  ['Images', 'What became of uploads: records, and smaller versions.'],
  ['Posts', 'An image with a caption, and what is said of it.'],
  ['Profiles', 'The pictures of users.'],
  ['Service', 'Limits and health.'],
  ['Jobs', 'What there is to do, for admins.'],
] as const

const securitySchemes = {
  bearerAuth: {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
    description: 'Not asked for while authentication is off.',
  },
  signedLink: {
    type: 'apiKey',
    in: 'query',
    name: 'signature',
    description: 'With `expires`, as they are in URLs that other answers have.',
  },
} as const

const methods = ['get', 'put', 'post', 'delete', 'head', 'patch'] as const

/** Answers `/openapi.json`. To be called once all routes are there. */
export function serveDescription(app: App, given: ApiDescription): void {
  let content: FixedContent | undefined
  app.get('/openapi.json', (c) => {
    content ??= fixedContent('application/json', JSON.stringify(describeApi(app, given)))
    return answerFixed(c, content)
  })
}

function describeApi(app: App, { version, publicUrl }: ApiDescription): Document {
  for (const [name, scheme] of Object.entries(securitySchemes)) {
    app.openAPIRegistry.registerComponent('securitySchemes', name, scheme)
  }
  const document = app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: { title: 'Landfall', version, description, license: { name: 'MIT' } },
    servers: [{ url: publicUrl ?? '/' }],
    tags: tags.map(([name, text]) => ({ name, description: text })),
  })
  for (const [path, item] of Object.entries(document.paths ?? {})) {
    for (const method of methods) {
      const operation = item[method]
      if (!operation) continue
      const rule = ruleOf(`${method.toUpperCase()} ${path}`) ?? []
      complete(operation, rule)
      Object.assign(operation, accessOf(rule))
    }
  }
  return document
}

/** Adds the answers that do not depend on what a route does. Those it describes itself are left. */
function complete(operation: Operation, rule: Rule): void {
  const has = (status: string) => operation.responses?.[status] !== undefined
  const add = (status: string, text: string, headers?: Fields) => {
    if (!has(status))
      operation.responses = { ...operation.responses, [status]: error(text, headers) }
  }
  if (!rule.includes('anyone')) {
    const isForLinks = rule.every((role) => role === 'link')
    if (isForLinks) {
      add('401', 'A token that cannot be believed or has expired, and no link', challenge)
      add('403', 'The link is not one this server signed, or it has expired')
    } else add('401', 'No token, or one that cannot be believed or has expired', challenge)
    if (rule.every((role) => role === 'admin' || role === 'storage')) {
      add('403', 'The token is not that of an admin')
    }
    add('503', 'The database, the storage or the keys of tokens cannot be reached now', patience)
  }
  if (takes(operation, 'application/json')) {
    add('400', 'The body is not what it has to be')
    add('413', 'The body is far too long')
    if (!takes(operation, '*/*')) add('415', 'The body is no JSON by its type')
  }
  add('default', 'Any other error')
}

function accessOf(rule: Rule) {
  const needsToken = rule.some((role) => role !== 'anyone' && role !== 'link')
  return {
    'x-access': [...rule],
    security: [
      ...(needsToken ? [{ bearerAuth: [] }] : []),
      ...(rule.includes('link') ? [{ signedLink: [] }] : []),
    ],
  }
}

type Fields = Readonly<Record<string, ReturnType<typeof field | typeof secondsField>>>

const challenge: Fields = { 'WWW-Authenticate': field('`Bearer`, and what is wrong.') }
const patience: Fields = { 'Retry-After': secondsField('Seconds after which to try again.') }

function error(text: string, headers: Fields | undefined) {
  const schema = { $ref: '#/components/schemas/Problem' }
  return { description: text, ...(headers && { headers }), content: { [problemType]: { schema } } }
}

function takes({ requestBody }: Operation, type: string): boolean {
  return requestBody !== undefined && 'content' in requestBody && type in requestBody.content
}
