import type { Queries } from './database.ts'

/**
 * Whether others may use the database at the same time. One with a single connection has nobody to
 * keep out, and no words for locks.
 */
export function isShared(queries: Queries): boolean {
  return queries.getExecutor().adapter.supportsMultipleConnections === true
}
