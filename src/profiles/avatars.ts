import type { Database, Transaction } from '../database/database.ts'
import type { Schema } from '../database/schema.ts'
import { isShared } from '../database/shared.ts'

/**
 * The pictures of people. Each is an image of their own, and is unset with it; an image that was
 * replaced as a picture stays what it was.
 */
export interface Avatars {
  /** Returns false when the user has no such image: then all stays as it was. */
  set(owner: string, imageId: string): Promise<boolean>
  /** Leaves a user without a picture, who may have had none. */
  unset(owner: string): Promise<void>
  /** The id of the image, if the user has a picture. One look by the primary key. */
  find(owner: string): Promise<string | undefined>
}

export function createAvatars(database: Database): Avatars {
  return {
    set: (owner, imageId) =>
      database.transaction(async (trx) => {
        if (!(await holdImage(trx, owner, imageId))) return false
        const picture = { avatar_image_id: imageId, updated_at: Date.now() }
        await trx
          .insertInto('profiles')
          .values({ owner, ...picture })
          .onConflict((conflict) => conflict.column('owner').doUpdateSet(picture))
          .execute()
        return true
      }),

    unset: (owner) =>
      database.transaction(async (trx) => {
        await trx
          .updateTable('profiles')
          .set({ avatar_image_id: null, updated_at: Date.now() })
          .where('owner', '=', owner)
          .where('avatar_image_id', 'is not', null)
          .execute()
      }),

    async find(owner) {
      const row = await database.queries
        .selectFrom('profiles')
        .select('avatar_image_id')
        .where('owner', '=', owner)
        .executeTakeFirst()
      return row?.avatar_image_id ?? undefined
    },
  }
}

/**
 * Keeps an image of a user from being removed until the transaction ends. Who removes one locks it
 * before the profiles it is unset in, so it is locked first here as well.
 */
async function holdImage(
  trx: Transaction<Schema>,
  owner: string,
  imageId: string,
): Promise<boolean> {
  const row = await trx
    .selectFrom('images')
    .select('id')
    .where('id', '=', imageId)
    .where('owner', '=', owner)
    .$if(isShared(trx), (query) => query.forKeyShare())
    .executeTakeFirst()
  return row !== undefined
}
