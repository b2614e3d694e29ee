import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { answerFixed, type FixedContent, fixedContent } from '../fixed-content.ts'
import { notFound } from '../problem.ts'
import { createRouter } from '../router.ts'

export interface DocsRouteDependencies {
  /** What clients call this server, if that is known: the page asks there. */
  readonly publicUrl?: string | undefined
}

/** All that is sent of `swagger-ui-dist`, whose directory is never listed or joined with a request. */
const packaged: ReadonlyMap<string, string> = new Map([
  ['swagger-ui.css', 'text/css; charset=utf-8'],
  ['swagger-ui-bundle.js', 'text/javascript; charset=utf-8'],
  ['favicon-32x32.png', 'image/png'],
])

// Relative, so that it works behind whatever path a proxy puts before it.
const page = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Landfall: the API</title>
    <link rel="stylesheet" href="docs/swagger-ui.css">
    <link rel="icon" type="image/png" href="docs/favicon-32x32.png">
  </head>
  <body>
    <div id="swagger-ui"></div>
    <script src="docs/swagger-ui-bundle.js"></script>
    <script src="docs/initializer.js"></script>
  </body>
</html>
`

// Without the validator, to which it would send the description; tokens are kept in the page alone.
const initializer = `SwaggerUIBundle({
  url: 'openapi.json',
  dom_id: '#swagger-ui',
  deepLinking: true,
  displayOperationId: true,
  displayRequestDuration: true,
  persistAuthorization: false,
  queryConfigEnabled: false,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
  layout: 'BaseLayout',
})
`

/** A page to read the API and try it: Swagger UI, and nothing from elsewhere. */
export function docsRoutes({ publicUrl }: DocsRouteDependencies) {
  const html = fixedContent('text/html; charset=utf-8', page)
  const script = fixedContent('text/javascript; charset=utf-8', initializer)
  const headers = {
    'Content-Security-Policy': policyFor(publicUrl),
    'Referrer-Policy': 'no-referrer',
    'X-Frame-Options': 'DENY',
  }
  const read = createPackageReader()
  const app = createRouter()
  app.get('/docs', (c) => answerFixed(c, html, headers))
  app.get('/docs/initializer.js', (c) => answerFixed(c, script))
  app.get('/docs/:file', async (c) => answerFixed(c, await read(c.req.param('file'))))
  return app
}

/** Nothing runs but the files above, and what they ask goes to this server alone. */
function policyFor(publicUrl: string | undefined): string {
  const origin = publicUrl === undefined ? '' : ` ${new URL(publicUrl).origin}`
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data: blob:",
    `connect-src 'self'${origin}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
}

/** Files are read when they are first asked for: most servers are never asked. */
function createPackageReader(): (name: string) => Promise<FixedContent> {
  const kept = new Map<string, FixedContent>()
  return async (name) => {
    const type = packaged.get(name)
    if (type === undefined) throw notFound('page')
    const known = kept.get(name)
    if (known) return known
    const directory = dirname(
      createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'),
    )
    const content = fixedContent(type, await readFile(join(directory, name)))
    kept.set(name, content)
    return content
  }
}
