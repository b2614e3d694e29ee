import { expect, it } from 'vitest'
import { deploymentKinds } from '../../support/deployments.ts'
import { bearer, inSeconds, testSecret, tokenOf } from '../../support/tokens.ts'
import { type Caller, callers, expectation } from './expectation.ts'
import { ask, conditionsOf, type Entry, entries, makeSubject } from './operations.ts'
import { content, type Stage } from './subjects.ts'

/** Every operation there is, with its roles, as the server describes them. */
async function describedOperations(url: string): Promise<Record<string, readonly string[]>> {
  const document = (await (await fetch(`${url}/openapi.json`)).json()) as {
    paths: Record<string, Record<string, { 'x-access'?: string[] }>>
  }
  return Object.fromEntries(
    Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => [
        `${method.toUpperCase()} ${path}`,
        operation['x-access'] ?? [],
      ]),
    ),
  )
}

type Headers = Readonly<Record<string, string>>

async function everybody(stage: Stage): Promise<Record<Caller, Headers>> {
  return {
    nobody: {},
    linked: {},
    garbage: bearer('garbage'),
    expired: bearer(await tokenOf('ada', { exp: inSeconds(-3_600) })),
    other: bearer(await tokenOf('bob')),
    owner: bearer(stage.owner),
    storage: bearer(await tokenOf('bucket', { scope: 'storage-events' })),
    admin: bearer(stage.admin),
  }
}

/** Asks for an operation as each of them and about all there may be. @returns what was wrong. */
async function walk(
  stage: Stage,
  people: Record<Caller, Headers>,
  operation: string,
  roles: readonly string[],
  entry: Entry,
): Promise<string[]> {
  const elsewhere = await content(stage)
  const wrong: string[] = []
  for (const condition of conditionsOf(operation, entry)) {
    const shared = await makeSubject(entry, stage, condition)
    for (const caller of callers) {
      const expected = expectation(roles, caller, condition, shared.link !== undefined)
      const isOwn = entry.changes && expected === 'in'
      const subject = isOwn ? await makeSubject(entry, stage, condition) : shared
      const query = caller === 'linked' ? (subject.link ?? elsewhere.link ?? '') : ''
      const who = { authorization: people[caller], query }
      const status = await ask(stage, operation, entry, subject, who)
      const letIn = entry.answers?.includes(status) ?? (status >= 200 && status < 300)
      if (expected === 'in' ? !letIn : status !== expected) {
        wrong.push(`${operation} (${condition}) by ${caller}: ${status}, expected ${expected}`)
      }
    }
  }
  return wrong
}

it.each(deploymentKinds)(
  'every operation on $name is for whom its roles say, and for nobody else',
  async ({ create }) => {
    await using deployment = await create()
    const { url } = await deployment.start({ AUTH_JWT_SECRET: testSecret })
    const stage = {
      url,
      owner: await tokenOf('ada'),
      admin: await tokenOf('root', { scope: 'admin' }),
    }
    const operations = await describedOperations(url)
    // A route without an entry would be one that nobody has tried to get into.
    expect(Object.keys(entries).toSorted()).toEqual(Object.keys(operations).toSorted())
    expect(Object.entries(operations).filter(([, roles]) => roles.length === 0)).toEqual([])
    const people = await everybody(stage)
    const wrong: string[] = []
    for (const [operation, entry] of Object.entries(entries)) {
      wrong.push(...(await walk(stage, people, operation, operations[operation] ?? [], entry)))
    }
    expect(wrong).toEqual([])
  },
  120_000,
)
