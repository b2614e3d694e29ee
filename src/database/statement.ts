import type { CompiledQuery, RawBuilder } from 'kysely'
import type { Queries } from './database.ts'

/** Runs a statement with these values, on a transaction if one is given. */
export type Statement<Values, Row> = (values: Values, on?: Queries) => Promise<Row[]>

/** Where one of a statement's values goes. */
class Place {
  readonly name: PropertyKey

  constructor(name: PropertyKey) {
    this.name = name
  }
}

/**
 * A statement that is put together once and run with other values each time, for those that are run
 * so often that Kysely would take longer for it than the database takes to answer.
 * @param build is handed what stands for each value.
 */
export function statement<Values extends object, Row>(
  queries: Queries,
  build: (at: (name: keyof Values) => Place) => RawBuilder<Row>,
): Statement<Values, Row> {
  let compiled: CompiledQuery<Row> | undefined
  return async (values, on = queries) => {
    compiled ??= build((name) => new Place(name)).compile(queries)
    const given = new Map<PropertyKey, unknown>(Object.entries(values))
    const parameters = compiled.parameters.map((value) =>
      value instanceof Place ? given.get(value.name) : value,
    )
    return (await on.executeQuery<Row>({ ...compiled, parameters })).rows
  }
}
