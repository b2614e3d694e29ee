import { createCipheriv, createHash } from 'node:crypto'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { newId } from '../../src/ids.ts'
import type {
  AppendOptions,
  Progress,
  Storage,
  UploadPart,
  UploadPosition,
  UploadSource,
} from '../../src/storage/contract.ts'
import { createDiskStorage } from '../../src/storage/disk/disk-storage.ts'
import { originalKey } from '../../src/storage/keys.ts'
import { createS3Storage } from '../../src/storage/s3/s3-storage.ts'
import { startS3, type TestS3 } from './s3.ts'

export const MiB = 2 ** 20
const never = new AbortController().signal

export interface StorageUnderTest {
  readonly storage: Storage
  /** Everything storage holds, with keys as storage's users see them, sorted. */
  listKeys(prefix?: string): Promise<string[]>
  close(): Promise<void>
}

/** Every backend the contracts hold for. */
export const backends = [
  { name: 'disk', start: startDisk },
  { name: 's3', start: startBucket },
]

export async function startDisk(): Promise<StorageUnderTest & { directory: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'landfall-storage-'))
  return {
    directory,
    storage: createDiskStorage(directory),
    async listKeys(prefix = '') {
      const entries = await readdir(directory, { recursive: true, withFileTypes: true })
      return entries
        .filter((entry) => entry.isFile())
        .map((entry) => relative(directory, join(entry.parentPath, entry.name)))
        .filter((key) => key.startsWith(prefix))
        .sort()
    },
    close: () => rm(directory, { recursive: true, force: true }),
  }
}

async function startBucket(): Promise<StorageUnderTest> {
  const s3 = await startS3()
  useCredentials(s3)
  const prefix = 'some/prefix/'
  const storage = createS3Storage({ ...s3, region: 'us-east-1', prefix })
  return {
    storage,
    async listKeys(within = '') {
      const keys = await s3.listKeys(prefix + within)
      return keys.map((key) => key.slice(prefix.length))
    },
    async close() {
      await storage.close()
      await s3.close()
    },
  }
}

/** Puts the credentials where the SDK in this process looks for them. */
export function useCredentials({ env }: Pick<TestS3, 'env'>): void {
  process.env.AWS_ACCESS_KEY_ID = env.AWS_ACCESS_KEY_ID
  process.env.AWS_SECRET_ACCESS_KEY = env.AWS_SECRET_ACCESS_KEY
}

/** Uploads that are complete, one for each of these contents. */
export function storeSources(
  storage: Storage,
  contents: readonly Buffer[],
): Promise<UploadSource[]> {
  return Promise.all(
    contents.map(async (content) => {
      const ledger = new TestLedger(content.length)
      await ledger.append(storage, content)
      await ledger.complete(storage)
      return { id: ledger.position.id, size: content.length }
    }),
  )
}

/** The ledger's side of an upload: keeps what was recorded, as the database does. */
export class TestLedger {
  position: UploadPosition
  readonly parts: UploadPart[] = []
  readonly records: Progress[] = []
  /** Called before anything is recorded; what it throws is what the database throws. */
  beforeRecord: (progress: Progress) => void | Promise<void> = () => {}
  #isRecording = false
  #isJoining = false
  /** What earlier appends may have begun, and up to which number. */
  #begun: { readonly until: number; readonly size: number } = { until: 0, size: 0 }

  constructor(length?: number) {
    this.position = {
      id: newId(),
      length,
      offset: 0,
      multipartId: undefined,
      partCount: 0,
      unsettledParts: undefined,
      tail: undefined,
      tailEpoch: 0,
      tailUnsettled: false,
      staged: undefined,
    }
  }

  get key(): string {
    return originalKey(this.position.id)
  }

  /** Strict as the database: one at a time, parts without gaps, and never less than before. */
  readonly record = async (progress: Progress): Promise<void> => {
    if (this.#isRecording) throw new Error('recorded twice at a time')
    this.#isRecording = true
    try {
      await this.beforeRecord(progress)
      this.#check(progress)
    } finally {
      this.#isRecording = false
    }
    const { parts, whole: _, ...rest } = progress
    this.records.push(progress)
    this.parts.push(...parts)
    this.position = { ...this.position, ...rest, partCount: this.parts.length }
  }

  /** Appends as one request does: the bytes after the offset, up to `end`. */
  async append(
    storage: Storage,
    content: Buffer,
    end = content.length,
    chunk = 65_536,
    options: AppendOptions = {},
  ): Promise<number> {
    const bytes = content.subarray(this.position.offset, end)
    return this.appendBody(storage, inChunks(bytes, chunk), never, options)
  }

  appendBody(
    storage: Storage,
    body: AsyncIterable<Buffer>,
    signal = never,
    options: AppendOptions = {},
  ): Promise<number> {
    this.#begin()
    return storage.append(this.position, body, this.record, signal, options)
  }

  /** Joins uploads that are complete, and leaves the last step to `complete`. */
  async concatenate(
    storage: Storage,
    sources: readonly UploadSource[],
    signal = never,
  ): Promise<void> {
    this.#begin()
    this.#isJoining = true
    await storage.concatenate(this.position, sources, this.record, signal)
  }

  complete(storage: Storage): Promise<void> {
    return storage.complete(this.position, this.parts)
  }

  #begin(): void {
    const { partCount, unsettledParts } = this.position
    this.#begun = {
      until: partCount + (unsettledParts?.count ?? 0),
      size: unsettledParts?.size ?? 0,
    }
  }

  #check({ offset, parts, tail, whole }: Progress): void {
    if (whole && this.#isJoining) throw new Error('a concatenation is whole too early')
    const numbers = parts.map(({ number }) => number)
    const expected = parts.map((_, index) => this.parts.length + index + 1)
    if (String(numbers) !== String(expected)) throw new Error(`parts ${numbers}, not ${expected}`)
    const isLast = offset === this.position.length
    for (const part of isLast ? parts.slice(0, -1) : parts) this.#checkAnnounced(part)
    if (offset < this.position.offset) throw new Error('the offset went down')
    const all = [...this.parts, ...parts]
    const inParts = all.reduce((sum, part) => sum + part.size, 0)
    if (all.length > 0 && inParts + (tail?.size ?? 0) !== offset) {
      throw new Error(`the offset is ${offset}, with ${inParts} bytes in parts`)
    }
    const isClosed = this.position.offset === this.position.length && this.records.length > 0
    if (isClosed && !this.#isJoining) throw new Error('recorded after the last byte')
  }

  /** A part is made as it was said to be before it was begun, and each time in the same way. */
  #checkAnnounced({ number, size }: UploadPart): void {
    const { partCount, unsettledParts } = this.position
    const announced = unsettledParts && number <= partCount + unsettledParts.count
    // What storage copies is the same each time for another reason.
    const isCopied = this.#isJoining && !announced
    if (isCopied) return
    if (!announced || unsettledParts.size !== size) {
      throw new Error(`part ${number} of ${size} bytes was not announced`)
    }
    if (number <= this.#begun.until && size !== this.#begun.size) {
      throw new Error(`part ${number} is made of ${size} bytes, not of ${this.#begun.size} again`)
    }
  }
}

/** A body that arrives in chunks, and then ends with an error if there is one. */
export async function* inChunks(
  bytes: Buffer,
  size = 65_536,
  error?: Error,
): AsyncGenerator<Buffer> {
  for (let start = 0; start < bytes.length; start += size) {
    yield bytes.subarray(start, start + size)
  }
  if (error) throw error
}

/** Bytes that look random and are the same for the same seed. */
export function contentOf(size: number, seed = 1): Buffer {
  const key = createHash('sha256').update(`seed ${seed}`).digest()
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(size))
}

export function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** The digest of what an object holds. */
export async function digestOf(storage: Storage, key: string): Promise<string> {
  return sha256(await buffer(await storage.read(key)))
}
