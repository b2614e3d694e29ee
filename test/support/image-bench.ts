/** Images and the jobs that convert them, over a storage, with a converter that looks at no picture. */
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { expect } from 'vitest'
import type {
  ConversionRequest,
  ConversionResult,
  ConvertedRendition,
  Preset,
  RenditionFormat,
} from '../../src/conversion/contract.ts'
import type { Database } from '../../src/database/database.ts'
import { convertHandler } from '../../src/images/convert-job.ts'
import { reconvertHandler } from '../../src/images/reconvert-job.ts'
import { findImage } from '../../src/images/records.ts'
import { createWorkDirectories } from '../../src/images/work-directory.ts'
import { createInstance } from '../../src/operations/instance.ts'
import { parsePayload } from '../../src/queue/kinds.ts'
import type { Storage } from '../../src/storage/contract.ts'
import { findUpload } from '../../src/uploads/ledger.ts'
import type { NewUpload } from '../../src/uploads/upload.ts'
import { databaseTargets, type TestDatabase, type TestDatabaseTarget } from './databases.ts'
import { never, silent } from './leases.ts'
import { backends, inChunks, type StorageUnderTest, sha256 } from './storage.ts'
import { temporaryDirectory } from './temporary-directory.ts'
import { begunUpload, uploadCore } from './uploads.ts'

/** What a bench can be told to do otherwise. */
export interface Otherwise {
  readonly database?: Database
  readonly storage?: Storage
  readonly presets?: readonly Preset[]
  readonly signal?: AbortSignal
}

const attempt = { jobId: 'job', number: 1 }

export interface BenchOptions {
  readonly target: TestDatabaseTarget
  readonly backend: { start(): Promise<StorageUnderTest> }
  readonly presets: readonly Preset[]
}

/** Every database with every storage. */
export const imageSetups = databaseTargets.flatMap((target) =>
  backends.map((backend) => ({ name: `${target.name} and ${backend.name}`, target, backend })),
)

export type ImageBench = Awaited<ReturnType<typeof imageBench>>

export async function imageBench({ target, backend, presets }: BenchOptions) {
  await using building = new AsyncDisposableStack()
  const test: TestDatabase = await target.create()
  building.defer(() => test.cleanup())
  const under = await backend.start()
  building.defer(() => under.close())
  const work = building.use(await temporaryDirectory())
  const resources = building.move()
  const { database } = test
  const core = uploadCore({ database, storage: under.storage, presets })

  /** The originals that were converted. */
  const converted: Buffer[] = []
  /** What happens while an image is being converted. */
  const during = { conversion: async (): Promise<unknown> => undefined }
  /** What the originals are. */
  const originals = { move: false }

  async function convert(request: ConversionRequest): Promise<ConversionResult> {
    const input = await readFile(request.input)
    converted.push(input)
    const wanted = request.presets.flatMap((preset) =>
      formatsOf(preset, originals.move).map((format) => ({ preset, format })),
    )
    const renditions = await Promise.all(
      wanted.map(({ preset, format }) => render(request.outputDirectory, input, preset, format)),
    )
    await during.conversion()
    const placeholder = { thumbhash: 'aGFzaA==', color: '#102030' }
    return { format: 'png', width: 300, height: 200, exif: undefined, ...placeholder, renditions }
  }

  const dependencies = (otherwise: Otherwise) => ({
    ...{ database, storage: under.storage, queue: core.queue, presets, logger: silent },
    ...{ converter: { convert, close: async () => {} } },
    directories: createWorkDirectories(work.path, createInstance()),
    ...otherwise,
  })
  /** Handlers of one process. */
  const handlers = (otherwise: Otherwise = {}) => {
    const signal = otherwise.signal ?? never
    const [converting, reconverting] = [
      convertHandler(dependencies(otherwise)),
      reconvertHandler(dependencies(otherwise)),
    ]
    return {
      ...{ converting, reconverting },
      run: (imageId: string) => converting.run({ imageId }, { ...attempt, signal }),
      reconvert: (imageId: string, preset: string) =>
        reconverting.run({ imageId, preset }, { ...attempt, signal }),
    }
  }
  /** Nothing was told and nothing was queued. */
  async function clear(): Promise<void> {
    await database.queries.deleteFrom('events').execute()
    await database.queries.deleteFrom('jobs').execute()
    core.queue.woken = 0
  }
  /** An image whose bytes came in one request, or in two and so were not looked at. */
  async function arrived(
    bytes: Buffer,
    requests: 1 | 2 = 1,
    given: Partial<NewUpload> = {},
  ): Promise<string> {
    const id = await begunUpload(database, { ...given, length: bytes.length })
    for (const [start, end] of requests === 1 ? [[0]] : [[0, 20], [20]]) {
      await core.leases.hold(id, never, async (_, lease) => {
        if (!lease) throw new Error('it takes no more bytes')
        if (bytes.length === 0) await core.finish.assemble(lease)
        else await core.receive(lease, inChunks(bytes.subarray(start, end)))
      })
    }
    return id
  }
  async function events() {
    const rows = await database.queries.selectFrom('events').selectAll().execute()
    return rows.map(({ type, subject, payload }) => [type, subject, JSON.parse(payload) as unknown])
  }

  return {
    ...{
      database,
      storage: under.storage,
      core,
      converted,
      during,
      originals,
      handlers,
      clear,
      arrived,
    },
    ...{ events, workPath: work.path, remove: core.remove, ...handlers() },
    /** Removes an image by way of another connection. */
    removeOn: (through: Database, id: string) =>
      uploadCore({ database: through, storage: under.storage, presets }).remove(id),
    storedKeys: () => under.listKeys('images/'),
    /** The image, with the digest that the ledger has of its upload. */
    async find(id: string) {
      const image = await findImage(database.queries, id)
      const upload = await findUpload(database.queries, id)
      return image && { ...image, inLedger: upload?.sha256 }
    },
    /** The files and directories of jobs. */
    leftOver: async () =>
      (await readdir(work.path, { recursive: true })).filter((entry) => entry.includes('job-')),
    /** Does what jobs are queued, however late they are due, until there are none. */
    async work(otherwise: Otherwise = {}): Promise<void> {
      const { run, reconvert } = handlers(otherwise)
      for (;;) {
        const jobs = await database.queries.deleteFrom('jobs').returningAll().execute()
        if (jobs.length === 0) return
        for (const { kind, payload } of jobs.toSorted((a, b) => a.run_at - b.run_at)) {
          if (kind === 'image.convert') await run(parsePayload(kind, payload).imageId)
          else if (kind === 'image.reconvert') {
            const { imageId, preset } = parsePayload(kind, payload)
            await reconvert(imageId, preset)
          } else if (kind === 'storage.remove') {
            await under.storage.remove(parsePayload(kind, payload).keys)
          }
        }
      }
    },
    /** Every object of a rendition is there and recorded, and there is no other one. */
    async expectExact(): Promise<void> {
      const renditions = await database.queries
        .selectFrom('renditions')
        .select('storage_key')
        .execute()
      const objects = await database.queries
        .selectFrom('rendition_objects')
        .select('storage_key')
        .execute()
      const used = [...new Set(renditions.map((row) => row.storage_key))].sort()
      expect(await under.listKeys('images/')).toEqual(used)
      expect(objects.map((row) => row.storage_key).sort()).toEqual(used)
    },
    /** What the renditions of an image are, by preset and format. */
    async contents(id: string): Promise<Record<string, string>> {
      const image = await findImage(database.queries, id)
      const entries = (image?.renditions ?? []).map(async ({ preset, format, key }) => {
        const bytes = await buffer(await under.storage.read(key))
        return [`${preset}.${format}`, bytes.toString()] as const
      })
      return Object.fromEntries(await Promise.all(entries))
    },
    cleanup: () => resources.disposeAsync(),
  }
}

/** As `Preset.animated` says. */
function formatsOf(preset: Preset, moves: boolean): readonly RenditionFormat[] {
  return moves && preset.animated && preset.formats.includes('webp') ? ['webp'] : preset.formats
}

/** What a rendition of these bytes is: it tells the presets apart. */
export function renderedBytes(input: Buffer, preset: Preset, format: RenditionFormat): Buffer {
  return Buffer.from(`${sha256(input)} ${format} ${JSON.stringify(preset)}`)
}

async function render(
  directory: string,
  input: Buffer,
  preset: Preset,
  format: RenditionFormat,
): Promise<ConvertedRendition> {
  const bytes = renderedBytes(input, preset, format)
  const path = join(directory, `${preset.name}.${format}`)
  await writeFile(path, bytes)
  return {
    ...{ preset: preset.name, format, contentType: `image/${format}`, path },
    ...{ width: 10, height: 10, frames: 1, size: bytes.length, sha256: sha256(bytes) },
  }
}
