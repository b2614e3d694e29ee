import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Checker } from '../../support/fuzz/check.ts'
import { readDocument } from '../../support/fuzz/document.ts'
import { draftsFor } from '../../support/fuzz/drafts.ts'
import { curlOf, type FuzzRequest, requestOf } from '../../support/fuzz/requests.ts'
import { Pool, Slot } from '../../support/fuzz/slots.ts'
import { Values } from '../../support/fuzz/values.ts'

const note = {
  type: 'object',
  properties: {
    id: { type: 'string', format: 'uuid' },
    text: { type: 'string', minLength: 1, maxLength: 3 },
    size: { type: ['integer', 'null'], minimum: 2, maximum: 5 },
    format: { type: 'string', enum: ['a', 'b'] },
    maxLength: { type: 'boolean' },
  },
  required: ['id', 'text', 'size'],
}

const written = {
  openapi: '3.1.0',
  components: {
    schemas: { Note: note },
    responses: { Missing: { description: 'None', content: { 'application/problem+json': {} } } },
    parameters: { Id: { name: 'id', in: 'path', required: true, schema: { type: 'string' } } },
  },
  paths: {
    '/notes/{id}': {
      parameters: [{ $ref: '#/components/parameters/Id' }],
      get: {
        parameters: [{ name: 'limit', in: 'query', schema: { type: 'integer', maximum: 9 } }],
        responses: {
          200: {
            content: {
              'application/json': { schema: { $ref: '#/components/schemas/Note' } },
              'image/*': {},
            },
          },
          204: { description: 'Nothing' },
          404: { $ref: '#/components/responses/Missing' },
          500: { description: 'Even so' },
        },
      },
      put: {
        requestBody: {
          content: { 'application/json': { schema: { $ref: '#/components/schemas/Note' } } },
        },
        responses: { '4XX': { description: 'Never' } },
      },
    },
  },
}

const document = readDocument(written)
const [get] = document.operations
const id = '019a9f1e-6d2c-7000-8000-3f6c1b2a4d5e'
const request: FuzzRequest = {
  ...{ operation: get, method: 'GET', path: `/notes/${id}`, caller: 'ada' },
  ...{ headers: {}, body: undefined, chunked: false },
}

describe('an answer', () => {
  const check = (status: number, type: string | undefined, body: unknown) => {
    const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
    const headers = type === undefined ? {} : { 'content-type': type }
    return new Checker(document).check(request, { status, headers, body: bytes })
  }
  const json = 'application/json; charset=utf-8'
  const good = { id, text: 'abc', size: null }

  it('is right when the document has its status, its type and its shape', () => {
    expect(check(200, json, good)).toBeUndefined()
    expect(check(200, 'image/webp', 'RIFF')).toBeUndefined()
    expect(check(204, undefined, '')).toBeUndefined()
    expect(check(404, 'application/problem+json', { status: 404 })).toBeUndefined()
  })

  it.each([
    ['trouble of the server', 500, undefined, '', 'is answered 500'],
    ['another status', 201, undefined, '', 'is answered 201, which is not documented'],
    [
      'another type',
      200,
      'text/html',
      'x',
      '200 is answered in text/html, which is not documented',
    ],
    ['a body where none is', 204, 'text/plain', 'x', '204 is answered in text/plain'],
    ['no JSON', 200, json, '{', '200 does not match its schema: it is no JSON'],
    ['a field that is missing', 200, json, { id, text: 'a' }, 'size: '],
    ['a number out of bounds', 200, json, { ...good, size: 6 }, 'size: '],
    ['another word', 200, json, { ...good, format: 'c' }, 'format: '],
    ['no UUID', 200, json, { ...good, id: 'x' }, 'id: '],
    ['a text too long', 200, json, { ...good, text: '🌊🌊🌊🌊' }, 'text: '],
    ['another status inside', 404, 'application/problem+json', { status: 400 }, 'another status'],
  ])('is wrong with %s', (_, status, type, body, wrong) => {
    expect(check(status, type, body)).toContain(wrong)
  })

  it('may have as many characters as its schema says, whatever they take', () => {
    expect(check(200, json, { ...good, text: '🌊🌊🌊' })).toBeUndefined()
  })
})

describe('values of a schema', () => {
  const values = new Values(document, () => undefined)
  const fits = (value: unknown) => {
    const body = Buffer.from(JSON.stringify({ id, text: 'a', size: null, ...Object(value) }))
    const answer = { status: 200, headers: { 'content-type': 'application/json' }, body }
    return new Checker(document).check(request, answer) === undefined
  }

  it('fit it often, and fit it seldom where they are not to', () => {
    const schema = { $ref: '#/components/schemas/Note' }
    const share = (all: fc.Arbitrary<unknown>) =>
      fc.sample(all, { seed: 1, numRuns: 200 }).filter((value) => fits(value)).length / 200
    expect(share(values.fitting(schema))).toBeGreaterThan(0.4)
    expect(share(values.unfitting(schema))).toBeLessThan(0.5)
  })
})

describe('a request', () => {
  it('is the same for the same seed, and can be sent as it is', () => {
    const drafts = () => fc.sample(draftsFor(document, [1]), { seed: 5, numRuns: 300 })
    const send = () => drafts().map((each) => requestOf(each, new Pool(), [Buffer.from('x')]))
    const requests = send()
    expect(send()).toEqual(requests)
    for (const { path } of requests) expect(path).toMatch(/^\/[\x21-\x7e]*$/)
    const operations = new Set(requests.map(({ operation }) => operation?.method))
    expect(operations).toEqual(new Set(['GET', 'PUT', undefined]))
  })

  it('asks for what was seen in answers', () => {
    const pool = new Pool()
    pool.harvest({
      items: [
        { id: 'a', caption: '' },
        { id: 'b', postId: 'a' },
      ],
      nextCursor: 'c',
    })
    const asked = pool.fillAll({ of: [new Slot('post', 0), new Slot('comment', 3)] })
    expect(asked).toEqual({ of: ['a', 'b'] })
    expect(pool.fill(new Slot('cursor', 0))).toBe('c')
  })

  it('is told as a command, without a token', () => {
    const body = Buffer.from(`{"text":"it's"}`)
    expect(curlOf({ ...request, method: 'PUT', body })).toBe(
      `curl -i --path-as-is -X PUT -H "Authorization: Bearer $(token of ada)" ` +
        `--data-binary '{"text":"it'\\''s"}' "$URL"'/notes/${id}'`,
    )
  })
})
