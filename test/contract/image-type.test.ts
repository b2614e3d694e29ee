import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createImage, findImage, markFailed } from '../../src/images/records.ts'
import { findUpload } from '../../src/uploads/ledger.ts'
import { databaseTargets, type TestDatabase } from '../support/databases.ts'
import { begunUpload } from '../support/uploads.ts'

const failure = { code: 'not-an-image', message: 'It is none.' }

describe.each(databaseTargets)('the type of an image on $name', (target) => {
  let test: TestDatabase

  beforeEach(async () => {
    test = await target.create()
  })
  afterEach(() => test.cleanup())

  type Seen = Parameters<typeof createImage>[2]

  /** The image of an upload that its client said is a JPEG. */
  async function declared(seen?: Seen): Promise<string> {
    const id = await begunUpload(test.database, { contentType: 'image/jpeg' })
    const upload = await findUpload(test.database.queries, id)
    if (!upload) throw new Error('there is no upload')
    await test.database.transaction((trx) => createImage(trx, upload, seen))
    return id
  }
  const fail = (id: string, found?: { sha256: string; contentType: string | undefined }) =>
    test.database.transaction((trx) => markFailed(trx, id, failure, found))
  const typeOf = async (id: string) => (await findImage(test.database.queries, id))?.contentType

  it('is what the client said until it was looked at', async () => {
    expect(await typeOf(await declared())).toBe('image/jpeg')
  })

  it.each([
    ['a type', 'application/pdf'],
    ['nothing', undefined],
  ])('is what was found on arrival, also when that is %s', async (_, contentType) => {
    for (const refusal of [undefined, failure]) {
      const id = await declared({ sha256: 'abc', contentType, refusal })
      expect(await typeOf(id)).toBe(contentType)
    }
  })

  it.each([
    ['a type', 'application/pdf'],
    ['nothing', undefined],
  ])('is what a job found when it failed, also when that is %s', async (_, contentType) => {
    const id = await declared()
    expect(await fail(id, { sha256: 'abc', contentType })).toBe(true)
    expect(await typeOf(id)).toBe(contentType)
  })

  it('is unknown when it failed before anybody looked, and kept when somebody had', async () => {
    const unseen = await declared()
    await fail(unseen)
    expect(await typeOf(unseen)).toBeUndefined()
    const seen = await declared({ sha256: 'abc', contentType: 'image/png', refusal: undefined })
    await fail(seen)
    expect(await typeOf(seen)).toBe('image/png')
  })
})
