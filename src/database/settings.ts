import type { Setting } from '../settings.ts'

export const databaseSettings = {
  url: {
    name: 'DATABASE_URL',
    expected: 'postgres://user:password@host:port/name, or nothing for SQLite in DATA_DIR',
    description: 'A PostgreSQL database for the records; unset: SQLite in `DATA_DIR`.',
    parse: (raw) => (/^postgres(ql)?:$/.test(URL.parse(raw)?.protocol ?? '') ? raw : undefined),
  } satisfies Setting<string>,
}
