import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'

/** Names as tus has them; RFC 9530 calls some of them otherwise. */
export const algorithms = ['sha1', 'sha256', 'sha512', 'md5', 'crc32'] as const
export type Algorithm = (typeof algorithms)[number]

/** Bytes of each digest. */
export const digestSizes: Readonly<Record<Algorithm, number>> = {
  sha1: 20,
  sha256: 32,
  sha512: 64,
  md5: 16,
  crc32: 4,
}

export interface Hash {
  update(chunk: Buffer): void
  /** Once only. A CRC-32 (as in zlib) has its most significant byte first. */
  digest(): Buffer
}

export function createHasher(algorithm: Algorithm): Hash {
  return algorithm === 'crc32' ? new Crc32() : new CryptoHash(algorithm)
}

class CryptoHash implements Hash {
  readonly #hash

  constructor(algorithm: Exclude<Algorithm, 'crc32'>) {
    this.#hash = createHash(algorithm)
  }

  update(chunk: Buffer): void {
    this.#hash.update(chunk)
  }

  digest(): Buffer {
    return this.#hash.digest()
  }
}

class Crc32 implements Hash {
  #value = 0

  update(chunk: Buffer): void {
    this.#value = crc32(chunk, this.#value)
  }

  digest(): Buffer {
    const digest = Buffer.alloc(4)
    digest.writeUInt32BE(this.#value)
    return digest
  }
}
