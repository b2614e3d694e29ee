import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { inject } from 'vitest'

/** An empty database of a test's own; nothing has been migrated yet. */
export interface FreshDatabase {
  readonly target:
    | { readonly kind: 'sqlite'; readonly file: string }
    | { readonly kind: 'postgres'; readonly url: string }
  /** An empty temporary directory, fit for `DATA_DIR`; on SQLite the database file goes here. */
  readonly directory: string
  /** What a process needs in its environment to use this database. */
  readonly environment: { readonly DATA_DIR: string; readonly DATABASE_URL?: string }
  /** Drops the database, also while a process is still connected, and removes the directory. */
  remove(): Promise<void>
}

/** Makes an empty database of a kind, without importing anything of the program. */
export const freshDatabase: Record<'sqlite' | 'postgres', () => Promise<FreshDatabase>> = {
  async sqlite() {
    const directory = await temporaryDirectory()
    return {
      target: { kind: 'sqlite', file: join(directory, 'landfall.db') },
      directory,
      environment: { DATA_DIR: directory },
      remove: () => removeDirectory(directory),
    }
  },

  async postgres() {
    const directory = await temporaryDirectory()
    const name = `landfall_test_${randomBytes(8).toString('hex')}`
    await administer(`create database ${name}`)
    const url = new URL(inject('postgresAdminUrl'))
    url.pathname = `/${name}`
    return {
      target: { kind: 'postgres', url: url.href },
      directory,
      environment: { DATA_DIR: directory, DATABASE_URL: url.href },
      async remove() {
        await administer(`drop database if exists ${name} with (force)`)
        await removeDirectory(directory)
      },
    }
  },
}

const temporaryDirectory = () => mkdtemp(join(tmpdir(), 'landfall-test-'))

const removeDirectory = (directory: string) =>
  rm(directory, { recursive: true, force: true, maxRetries: 5 })

async function administer(statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: inject('postgresAdminUrl') })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}
