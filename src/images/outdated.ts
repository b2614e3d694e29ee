/** Images that are not as they would be if they were converted now. */
import { sql } from 'kysely'
import type { Queries } from '../database/database.ts'
import type { Wanted } from './wanted.ts'

export interface Page {
  readonly limit: number
  /** Only images after the one with this id. */
  readonly after?: string | undefined
}

/** Images that are ready without being what one preset asks for; by id, in order. */
export async function listOutdated(
  queries: Queries,
  wanted: readonly Wanted[],
  { limit, after = '' }: Page,
): Promise<string[]> {
  const query = outdatedQuery(queries, wanted).select('id').where('id', '>', after)
  return idsOf(await query.orderBy('id').limit(limit).execute())
}

/** How many there are; a look at every image. */
export async function countOutdated(queries: Queries, wanted: readonly Wanted[]): Promise<number> {
  return countOf(outdatedQuery(queries, wanted))
}

/** Those of some images that are. */
export async function outdatedAmong(
  queries: Queries,
  wanted: readonly Wanted[],
  ids: readonly string[],
): Promise<string[]> {
  if (ids.length === 0) return []
  return idsOf(await outdatedQuery(queries, wanted).select('id').where('id', 'in', ids).execute())
}

/** The same question as `isCurrent` answers. */
function outdatedQuery(queries: Queries, wanted: readonly Wanted[]) {
  const presets = wanted.map(({ preset }) => preset)
  const fingerprints = wanted.map(({ fingerprint }) => fingerprint)
  return queries
    .selectFrom('images')
    .where('state', '=', sql.lit('ready' as const))
    .where(({ eb, selectFrom, exists, or }) => {
      const made = selectFrom('renditions')
        .whereRef('renditions.image_id', '=', 'images.id')
        .where('renditions.preset', 'in', presets)
      const current = made
        .where('renditions.fingerprint', 'in', fingerprints)
        .select(({ fn }) => fn.count<number>('preset').distinct().as('count'))
      const other = made
        .where(({ or, eb }) =>
          or([
            eb('renditions.fingerprint', 'is', null),
            eb('renditions.fingerprint', 'not in', fingerprints),
          ]),
        )
        .select('renditions.preset')
      return or([eb(current, '!=', wanted.length), exists(other)])
    })
}

/** Images that failed by this; by id, in order. */
export async function listFailed(
  queries: Queries,
  code: string,
  { limit, after = '' }: Page,
): Promise<string[]> {
  const query = failedQuery(queries, code).select('id').where('id', '>', after)
  return idsOf(await query.orderBy('id').limit(limit).execute())
}

export async function countFailed(queries: Queries, code: string): Promise<number> {
  return countOf(failedQuery(queries, code))
}

function failedQuery(queries: Queries, code: string) {
  return queries.selectFrom('images').where('state', '=', 'failed').where('error_code', '=', code)
}

function countOf(query: ReturnType<typeof failedQuery>): Promise<number> {
  return query
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow()
    .then(({ count }) => Number(count))
}

function idsOf(rows: readonly { readonly id: string }[]): string[] {
  return rows.map(({ id }) => id)
}
