import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { testApp } from '../../support/app.ts'
import { databaseTargets, type TestDatabase } from '../../support/databases.ts'
import { type StorageUnderTest, startDisk } from '../../support/storage.ts'

const [sqlite] = databaseTargets
const files = [
  ['swagger-ui.css', 'text/css; charset=utf-8'],
  ['swagger-ui-bundle.js', 'text/javascript; charset=utf-8'],
  ['initializer.js', 'text/javascript; charset=utf-8'],
  ['favicon-32x32.png', 'image/png'],
] as const

describe('the page of the API', () => {
  let test: TestDatabase
  let disk: StorageUnderTest
  let app: ReturnType<typeof testApp>

  beforeAll(async () => {
    if (!sqlite) throw new Error('no database to test on')
    test = await sqlite.create()
    disk = await startDisk()
    app = testApp(test.database, disk.storage, {
      publicUrl: 'https://files.example/landfall',
      authenticator: { authenticate: async () => undefined },
    })
  })
  afterAll(async () => {
    await disk.close()
    await test.cleanup()
  })

  it('is for everybody, and refers to nothing that is elsewhere or not there', async () => {
    const response = await app.request('/docs')
    expect(response.status).toBe(200)
    expect(response.headers.get('Content-Type')).toBe('text/html; charset=utf-8')
    const html = await response.text()
    const links = [...html.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, link]) => link ?? '')
    expect(links.length).toBe(files.length)
    for (const link of links) {
      // Also behind a proxy that puts a path before it.
      const path = new URL(link, 'http://localhost/landfall/docs').pathname
      expect(path).toMatch(/^\/landfall\/docs\//)
      const file = await app.request(path.slice('/landfall'.length))
      expect(file.status, link).toBe(200)
      await file.body?.cancel()
    }
  })

  it('runs nothing but its own scripts, and asks nobody but this server', async () => {
    const policy = (await app.request('/docs')).headers.get('Content-Security-Policy') ?? ''
    const rules = new Map(
      policy.split('; ').map((rule) => {
        const [name = '', ...sources] = rule.split(' ')
        return [name, sources.join(' ')]
      }),
    )
    expect(rules.get('default-src')).toBe("'none'")
    expect(rules.get('script-src')).toBe("'self'")
    expect(rules.get('connect-src')).toBe("'self' https://files.example")
    expect(rules.get('frame-ancestors')).toBe("'none'")
    expect(policy).not.toContain('unsafe-eval')
  })

  it.each(files)('has %s, whole or not at all when it is known', async (name, type) => {
    const path = `/docs/${name}`
    const whole = await app.request(path)
    expect(whole.headers.get('Content-Type')).toBe(type)
    expect(whole.headers.get('X-Content-Type-Options')).toBe('nosniff')
    const length = (await whole.arrayBuffer()).byteLength
    expect(whole.headers.get('Content-Length')).toBe(String(length))
    const head = await app.request(path, { method: 'HEAD' })
    expect(head.status).toBe(200)
    expect(head.headers.get('Content-Length')).toBe(String(length))
    expect((await head.arrayBuffer()).byteLength).toBe(0)
    const known = { 'If-None-Match': whole.headers.get('ETag') ?? '' }
    expect((await app.request(path, { headers: known })).status).toBe(304)
  })

  it.each([
    'package.json',
    'index.html',
    'swagger-ui-bundle.js.map',
    '..%2Fzod%2Fpackage.json',
    '..%5Czod%5Cpackage.json',
    '%2e%2e%2f%2e%2e%2f%2e%2e%2fpackage.json',
    '....//package.json',
    '%252e%252e%252fzod',
    '../package.json',
    '/etc/passwd',
    'swagger-ui.css%00',
    'swagger-ui.css/',
    'SWAGGER-UI.CSS',
    'constructor',
    '__proto__',
    '',
  ])('has nothing else of what is installed: %j', async (name) => {
    const response = await app.request(`/docs/${name}`)
    expect(response.status).toBe(404)
    expect(await response.json()).toMatchObject({ code: 'page-not-found' })
  })

  it('tells no site of the pages it is led from, and loads no description but its own', async () => {
    const script = await (await app.request('/docs/initializer.js')).text()
    expect(script).toContain("url: 'openapi.json'")
    expect(script).toContain('queryConfigEnabled: false')
    expect(script).toContain('validatorUrl: null')
    expect((await app.request('/docs')).headers.get('Referrer-Policy')).toBe('no-referrer')
  })
})
