import type { ObjectStorage } from '../storage/contract.ts'
import { originalKey } from '../storage/keys.ts'
import { type Digests, formatDigests, parseDigests, parseWanted } from './digest-fields.ts'
import { reprDigestMismatch } from './errors.ts'
import { type Algorithm, createHasher } from './requests/hashes.ts'
import type { Upload } from './upload.ts'

/** What is known of the content of an upload. */
export interface KnownContent {
  /** Of all of it, in hex. */
  readonly sha256?: string | undefined
  /** All digests that were asked for, as a `Repr-Digest`. */
  readonly reprDigest?: string | undefined
}

/**
 * Reads an upload whose object exists, and compares it with the digests its client gave; without
 * any, and none wanted, it reads nothing. It takes its time: all of the object is read.
 * @throws AppError `repr-digest-mismatch` (400), and what storage throws.
 */
export async function checkWhole(
  storage: Pick<ObjectStorage, 'read'>,
  upload: Upload,
): Promise<KnownContent> {
  const { expected, wanted } = upload.digests
  if (expected === undefined && wanted === undefined) return {}
  const given: Digests = expected ? parseDigests('Repr-Digest', expected) : new Map()
  const algorithm = wanted === undefined ? undefined : parseWanted(wanted)
  const found = await digest(
    storage,
    upload,
    new Set(algorithm ? [...given.keys(), algorithm] : given.keys()),
  )
  for (const [each, digest] of given) {
    if (!found.get(each)?.equals(digest)) throw reprDigestMismatch()
  }
  return {
    sha256: found.get('sha256')?.toString('hex'),
    reprDigest: found.size > 0 ? formatDigests(found) : undefined,
  }
}

async function digest(
  storage: Pick<ObjectStorage, 'read'>,
  { id }: Upload,
  algorithms: ReadonlySet<Algorithm>,
): Promise<Digests> {
  const hashes = new Map([...algorithms].map((each) => [each, createHasher(each)]))
  if (hashes.size > 0) {
    for await (const chunk of await storage.read(originalKey(id))) {
      for (const hash of hashes.values()) hash.update(chunk)
    }
  }
  return new Map([...hashes].map(([algorithm, hash]) => [algorithm, hash.digest()]))
}
