import type { OpenAPIHono } from '@hono/zod-openapi'
import { type Rule, ruleOf } from '../auth/access.ts'
import type { HttpEnvironment } from './context.ts'

const methods = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'] as const

const description = `Resumable uploads, and what becomes of them.

\`x-access\` of an operation says who may do it: \`anyone\`; a \`user\`, who is whoever has a token; of
what it is about its \`owner\`, or a \`viewer\`, to whom the owner has shown it; whoever has a \`link\` that
this server signed; the \`storage\`; an \`admin\`. To everybody else it is not there (404).`

/** The description of the API, in which each operation says who may do it. */
export function describeApi(app: OpenAPIHono<HttpEnvironment>, version: string) {
  app.openAPIRegistry.registerComponent('securitySchemes', 'bearerAuth', {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
    description: 'Not asked for while authentication is off.',
  })
  app.openAPIRegistry.registerComponent('securitySchemes', 'signedLink', {
    type: 'apiKey',
    in: 'query',
    name: 'signature',
    description: 'With `expires`, as they are in URLs that other answers have.',
  })
  const document = app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: { title: 'Landfall', version, description },
  })
  for (const [path, item] of Object.entries(document.paths ?? {})) {
    for (const method of methods) {
      const operation = item[method]
      if (operation) Object.assign(operation, accessOf(`${method.toUpperCase()} ${path}`))
    }
  }
  return document
}

function accessOf(operation: string) {
  const rule: Rule = ruleOf(operation) ?? []
  const needsToken = rule.some((role) => role !== 'anyone' && role !== 'link')
  return {
    'x-access': [...rule],
    security: [
      ...(needsToken ? [{ bearerAuth: [] }] : []),
      ...(rule.includes('link') ? [{ signedLink: [] }] : []),
    ],
  }
}
