import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { migrations } from '../../src/database/migrations/index.ts'
import { databaseTargets } from '../support/databases.ts'
import type { FreshDatabase } from '../support/fresh-databases.ts'

const migrateFile = resolve(import.meta.dirname, '../support/migrate-process.ts')
const processes = 3
/** Several, because two processes do not always meet in one. */
const databases = 6

describe.each(databaseTargets)('processes that migrate together on $name', (target) => {
  let fresh: FreshDatabase[]
  beforeEach(async () => {
    fresh = await Promise.all(Array.from({ length: databases }, () => target.fresh()))
  })
  afterEach(async () => {
    await Promise.all(fresh.map((database) => database.remove()))
  })

  it('all succeed, and one of them did it', async () => {
    const children = await Promise.all(
      Array.from({ length: processes }, () => startMigration(fresh)),
    )
    const results = children.map((child) => appliedBy(child))
    for (const child of children) child.stdin?.end('go\n')
    const applied = await Promise.all(results)
    const all = Object.keys(migrations(target.name))
    for (const database of fresh.keys()) {
      expect(applied.flatMap((byProcess) => byProcess[database])).toEqual(all)
    }
  })
})

async function startMigration(fresh: readonly FreshDatabase[]): Promise<ChildProcess> {
  const targets = JSON.stringify(fresh.map(({ target }) => target))
  const child = spawn(process.execPath, [migrateFile, targets], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  if (child.stdout) await once(child.stdout, 'data')
  return child
}

/** The migrations a process applied to each database; rejects when it failed. */
async function appliedBy(child: ChildProcess): Promise<string[][]> {
  const output = child.stdout ? await text(child.stdout) : ''
  return z.array(z.array(z.string())).parse(JSON.parse(output))
}
