/** Uploads with thousands of parts that nobody had to upload. */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import SqliteDatabase from 'better-sqlite3'
import { temporaryDirectory } from '../../test/support/temporary-directory.ts'
import { idOf } from '../../test/support/upload.ts'
import { startLandfall, startStockOnS3 } from './contestants.ts'
import type { BenchS3 } from './s3.ts'
import { createUpload } from './tus-client.ts'

export interface SeededServer extends AsyncDisposable {
  /** One upload for each number of parts. */
  readonly urls: readonly string[]
}

const partSize = 8 * 2 ** 20

/** Bytes of an upload that has so many parts and lacks one more. */
function lengthWith(parts: number): number {
  return (parts + 1) * partSize
}

/** The ledger is told while nobody looks: the program is stopped, and started again. */
export async function openLandfall(
  s3: BenchS3,
  partCounts: readonly number[],
): Promise<SeededServer> {
  await using resources = new AsyncDisposableStack()
  const { path: dataDir } = resources.use(await temporaryDirectory())
  const ids = await createUploads(s3, dataDir, partCounts)
  addParts(dataDir, ids, partCounts)
  const { filesUrl } = resources.use(await startLandfall(s3, dataDir))
  const opened = resources.move()
  return {
    urls: ids.map((id) => `${filesUrl}/${id}`),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

async function createUploads(
  s3: BenchS3,
  dataDir: string,
  partCounts: readonly number[],
): Promise<string[]> {
  await using server = await startLandfall(s3, dataDir)
  const urls = partCounts.map((parts) => createUpload(server.filesUrl, lengthWith(parts)))
  return (await Promise.all(urls)).map(idOf)
}

function addParts(dataDir: string, ids: readonly string[], partCounts: readonly number[]): void {
  using database = openLedger(dataDir)
  for (const [index, id] of ids.entries()) database.addParts(id, partCounts[index] ?? 0)
}

function openLedger(dataDir: string) {
  const database = new SqliteDatabase(join(dataDir, 'landfall.db'), { fileMustExist: true })
  const advance = database.prepare(
    `update uploads set "offset" = ?, multipart_id = ? where id = ? and "offset" = 0`,
  )
  const addPart = database.prepare(
    'insert into upload_parts (upload_id, number, size, etag) values (?, ?, ?, ?)',
  )
  return {
    addParts: database.transaction((id: string, parts: number) => {
      if (advance.run(parts * partSize, randomUUID(), id).changes !== 1) {
        throw new Error(`the ledger does not have the upload ${id}`)
      }
      for (let number = 1; number <= parts; number += 1) {
        addPart.run(id, number, partSize, `"c-seed-${number}"`)
      }
    }),
    [Symbol.dispose]: () => database.close(),
  }
}

/** The stock stack asks S3 where an upload stands, so S3 is told; the upload's id there is its key. */
export async function openStock(s3: BenchS3, partCounts: readonly number[]): Promise<SeededServer> {
  await using resources = new AsyncDisposableStack()
  const { filesUrl } = resources.use(await startStockOnS3(s3))
  const urls: string[] = []
  for (const parts of partCounts) {
    const url = await createUpload(filesUrl, lengthWith(parts))
    await s3.seed({ key: idOf(url), parts, partSize })
    urls.push(url)
  }
  const opened = resources.move()
  return { urls, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}
