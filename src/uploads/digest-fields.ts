/** Digest fields (RFC 9530): `Content-Digest`, `Repr-Digest` and `Want-Repr-Digest`. */
import { ParseError, parseDictionary, serializeDictionary } from 'structured-headers'
import type { AppError } from '../errors.ts'
import { badHeader } from './errors.ts'
import { type Algorithm, digestSizes } from './requests/hashes.ts'

/** The algorithms of the registry that are known here; those that are not are ignored (section 2). */
const names: ReadonlyMap<string, Algorithm> = new Map([
  ['sha-512', 'sha512'],
  ['sha-256', 'sha256'],
  ['sha', 'sha1'],
  ['md5', 'md5'],
])
/** What is offered to those who want a digest: the others are no protection. */
const offered = ['sha-512', 'sha-256']

export type Digests = ReadonlyMap<Algorithm, Buffer>

/**
 * The digests of a field, by algorithm.
 * @param name of the field, for the error.
 * @throws AppError `bad-header` (400) when it is malformed, or a digest has another size.
 */
export function parseDigests(name: string, field: string): Digests {
  const digests = new Map<Algorithm, Buffer>()
  for (const [key, [value]] of parse(name, field)) {
    if (!(value instanceof ArrayBuffer)) throw malformed(name)
    const algorithm = names.get(key)
    if (!algorithm) continue
    if (value.byteLength !== digestSizes[algorithm]) throw malformed(name)
    digests.set(algorithm, Buffer.from(value))
  }
  return digests
}

export function formatDigests(digests: Digests): string {
  const entries = [...digests].map(([algorithm, digest]): [string, Uint8Array<ArrayBuffer>] => [
    nameOf(algorithm),
    new Uint8Array(digest),
  ])
  return serializeDictionary(Object.fromEntries(entries))
}

/**
 * The algorithm that is wanted most, of those offered; undefined when none of them is.
 * @throws AppError `bad-header` (400)
 */
export function parseWanted(field: string): Algorithm | undefined {
  let best = { name: '', weight: 0 }
  for (const [name, [weight]] of parse('Want-Repr-Digest', field)) {
    if (typeof weight !== 'number') throw malformed('Want-Repr-Digest')
    if (offered.includes(name) && weight > best.weight) best = { name, weight }
  }
  return names.get(best.name)
}

function nameOf(algorithm: Algorithm): string {
  for (const [name, each] of names) if (each === algorithm) return name
  throw new Error(`${algorithm} has no name in the registry`)
}

function parse(name: string, field: string) {
  try {
    return parseDictionary(field)
  } catch (error) {
    throw error instanceof ParseError ? malformed(name) : error
  }
}

function malformed(name: string): AppError {
  const form = 'a dictionary of digests, such as sha-256=:…:'
  return badHeader(`${name} has to be ${form} (RFC 9530).`)
}
