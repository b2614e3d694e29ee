import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { accessRules } from '../../../src/auth/access.ts'
import { testApp } from '../../support/app.ts'
import { databaseTargets, type TestDatabase } from '../../support/databases.ts'
import { type StorageUnderTest, startDisk } from '../../support/storage.ts'

const [sqlite] = databaseTargets

/** OpenAPI 3.1.0, section 4, as far as this document makes use of it; what is not in it is an error. */
const schema = z.record(z.string(), z.unknown())
const example = { example: z.unknown().optional(), description: z.string().optional() }
const field = z.strictObject({ description: z.string(), schema })
const content = z.record(z.string().regex(/^[\w*.+-]+\/[\w*.+-]+$/), z.strictObject({ schema }))
const parameter = z
  .strictObject({
    ...example,
    name: z.string().min(1),
    in: z.enum(['query', 'header', 'path', 'cookie']),
    required: z.boolean().optional(),
    schema,
  })
  // 4.8.12: these are described elsewhere, and a path has all of its parameters.
  .refine((it) => it.in !== 'header' || !/^(accept|content-type|authorization)$/i.test(it.name))
  .refine((it) => it.in !== 'path' || it.required === true)
const response = z.strictObject({
  description: z.string().min(1),
  headers: z.record(z.string(), field).optional(),
  content: content.optional(),
})
const operation = z.looseObject({
  operationId: z.string().regex(/^[a-z][A-Za-z]+$/),
  tags: z.array(z.string()).length(1),
  summary: z.string().min(10),
  description: z.string().optional(),
  parameters: z.array(parameter).default([]),
  requestBody: z
    .strictObject({ description: z.string(), required: z.boolean(), content })
    .partial()
    .optional(),
  responses: z.record(z.string().regex(/^([1-5]\d\d|default)$/), response),
})
const documentSchema = z.looseObject({
  openapi: z.literal('3.1.0'),
  info: z.looseObject({ title: z.string(), version: z.string(), description: z.string() }),
  servers: z.array(z.strictObject({ url: z.string().min(1) })).length(1),
  tags: z.array(z.strictObject({ name: z.string(), description: z.string() })),
  paths: z.record(
    z.string().startsWith('/'),
    z.partialRecord(z.enum(['get', 'put', 'post', 'delete', 'head', 'patch']), operation),
  ),
  components: z.looseObject({ schemas: z.record(z.string(), schema) }),
})

describe('the description of the API', () => {
  let test: TestDatabase
  let disk: StorageUnderTest
  let app: ReturnType<typeof testApp>
  let raw: unknown
  let document: z.infer<typeof documentSchema>

  beforeAll(async () => {
    if (!sqlite) throw new Error('no database to test on')
    test = await sqlite.create()
    disk = await startDisk()
    app = testApp(test.database, disk.storage, { publicUrl: 'https://files.example/landfall' })
    raw = await (await app.request('/openapi.json')).json()
    document = documentSchema.parse(raw)
  })
  afterAll(async () => {
    await disk.close()
    await test.cleanup()
  })

  const operations = () =>
    Object.entries(document.paths).flatMap(([path, item]) =>
      Object.entries(item).map(([method, one]) => ({
        ...one,
        path,
        name: `${method.toUpperCase()} ${path}`,
      })),
    )
  const namesOf = (wanted: (one: ReturnType<typeof operations>[number]) => boolean) =>
    operations()
      .filter(wanted)
      .map(({ name }) => name)

  it('says where the server is', async () => {
    expect(document.servers).toEqual([{ url: 'https://files.example/landfall' }])
    const nameless = await testApp(test.database, disk.storage).request('/openapi.json')
    expect(documentSchema.parse(await nameless.json()).servers).toEqual([{ url: '/' }])
  })

  it('has a name of its own for every operation, and tags that it explains', () => {
    const ids = operations().map(({ operationId }) => operationId)
    expect(ids).toEqual([...new Set(ids)])
    const explained = document.tags.map(({ name }) => name)
    expect(namesOf(({ tags }) => !tags.every((tag) => explained.includes(tag)))).toEqual([])
  })

  it('refers to nothing that is not there, and holds nothing that is not referred to', () => {
    const refs = [...JSON.stringify(raw).matchAll(/"\$ref":"([^"]+)"/g)].map(([, ref]) => ref)
    const known = Object.keys(document.components.schemas).map(
      (name) => `#/components/schemas/${name}`,
    )
    expect(refs.filter((ref) => !known.includes(ref ?? ''))).toEqual([])
    expect(known.filter((name) => !refs.includes(name))).toEqual([])
  })

  it('has every parameter of a path, no other in it, and none twice', () => {
    for (const { path, name, parameters } of operations()) {
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, parameter]) => parameter)
      const declared = parameters.filter((one) => one.in === 'path').map((one) => one.name)
      expect(declared.toSorted(), name).toEqual(inPath.toSorted())
      const all = parameters.map((one) => `${one.in} ${one.name.toLowerCase()}`)
      expect(all, name).toEqual([...new Set(all)])
    }
  })

  it('tells every operation of what can go wrong with it', () => {
    const lacks = (status: string) => (one: { responses: object }) => !(status in one.responses)
    const rules: Readonly<Record<string, readonly string[]>> = accessRules
    expect(namesOf(lacks('default'))).toEqual([])
    expect(namesOf((one) => one.path.includes('{') && lacks('404')(one))).toEqual([])
    expect(namesOf(({ responses }) => !Object.keys(responses).some((s) => /^2/.test(s)))).toEqual(
      [],
    )
    const named = operations().filter(({ name }) => !rules[name]?.includes('anyone'))
    expect(named.filter(lacks('401')).map(({ name }) => name)).toEqual([])
    const forAdmins = operations().filter(({ name }) => rules[name]?.join() === 'admin')
    expect(forAdmins.length).toBeGreaterThan(3)
    expect(forAdmins.filter(lacks('403')).map(({ name }) => name)).toEqual([])
    const withJson = operations().filter((one) => one.requestBody?.content?.['application/json'])
    expect(withJson.length).toBeGreaterThan(1)
    for (const status of ['400', '413']) {
      expect(withJson.filter(lacks(status)).map(({ name }) => name)).toEqual([])
    }
    const onlyJson = withJson.filter((one) => !one.requestBody?.content?.['*/*'])
    expect(onlyJson.filter(lacks('415')).map(({ name }) => name)).toEqual([])
  })

  it('describes errors as problems, wherever they are not the protocols’', () => {
    for (const { name, responses, path } of operations()) {
      for (const [status, { content: body }] of Object.entries(responses)) {
        if (!/^[45]|default/.test(status) || path.startsWith('/files') || name === 'GET /readyz')
          continue
        expect(Object.keys(body ?? {}), `${name} ${status}`).toEqual(['application/problem+json'])
      }
    }
  })

  it('has a row of the table of access for every operation, and the protocols among them', () => {
    expect(namesOf(({ name }) => !(name in accessRules))).toEqual([])
    expect(operations().map(({ name }) => name)).toEqual(
      expect.arrayContaining(Object.keys(accessRules).filter((name) => / \/files/.test(name))),
    )
  })

  it('describes every route there is', () => {
    const described = operations().map(({ name }) => name)
    const routes = app.routes
      .filter(({ method, path }) => method !== 'ALL' && path.startsWith('/v1/'))
      .map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`)
    expect(routes.length).toBeGreaterThan(10)
    expect(routes.filter((route) => !described.includes(route))).toEqual([])
  })

  it('bounds every whole number, and marks times as such', () => {
    for (const found of schemasIn(raw)) {
      const text = JSON.stringify(found)
      const types = [found.type].flat()
      if (types.includes('integer')) {
        expect(found, text).toHaveProperty('minimum')
        expect(found, text).toHaveProperty('maximum')
      }
      // The ways of OpenAPI 3.0.
      expect(found, text).not.toHaveProperty('nullable')
      expect(typeof found.exclusiveMinimum, text).not.toBe('boolean')
    }
    const { Image } = document.components.schemas
    expect(Image).toMatchObject({
      properties: {
        createdAt: { type: 'string', format: 'date-time' },
        width: { type: ['integer', 'null'] },
      },
    })
  })

  it('names the limit of this server where it has one', async () => {
    const none = { accept: null, userMaxBytes: null, userMaxUnfinished: null }
    const limits = { maxUploadSize: 77, userUploadsPerMinute: null, ...none }
    const config = { ...limits, uploadUrl: '/files', chunkSize: 1, retryDelays: [] }
    const limited = testApp(test.database, disk.storage, { config: { ...config, presets: [] } })
    const { paths } = documentSchema.parse(await (await limited.request('/openapi.json')).json())
    const length = paths['/files']?.post?.parameters.find(({ name }) => name === 'Upload-Length')
    expect(length?.schema).toMatchObject({ type: 'integer', maximum: 77 })
  })

  it('is not sent again to whoever has it', async () => {
    const first = await app.request('/openapi.json')
    const known = { 'If-None-Match': first.headers.get('ETag') ?? '' }
    const again = await app.request('/openapi.json', { headers: known })
    expect(again.status).toBe(304)
    const head = await app.request('/openapi.json', { method: 'HEAD' })
    expect(head.headers.get('Content-Type')).toBe('application/json')
    expect(await head.text()).toBe('')
  })
})

/** Every object in the document that has a type, or may have one. */
function schemasIn(node: unknown): Record<string, unknown>[] {
  if (typeof node !== 'object' || node === null) return []
  const below = Object.values(node).flatMap(schemasIn)
  return 'type' in node ? [{ ...node }, ...below] : below
}
