import { randomBytes } from 'node:crypto'
import type { Database } from '../database/database.ts'

const secretBytes = 32

/** A secret of this deployment by name: drawn when it is first asked for, then always the same. */
export async function loadSecret(database: Database, name: string): Promise<Buffer> {
  const value = await database.transaction(async (trx) => {
    await trx
      .insertInto('secrets')
      .values({
        name,
        value: randomBytes(secretBytes).toString('base64url'),
        created_at: Date.now(),
      })
      .onConflict((conflict) => conflict.column('name').doNothing())
      .execute()
    return trx.selectFrom('secrets').select('value').where('name', '=', name).executeTakeFirst()
  })
  if (!value) throw new Error(`there is no secret named ${name}`)
  return Buffer.from(value.value, 'base64url')
}
