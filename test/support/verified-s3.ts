import { expect } from 'vitest'
import type { AppendOptions, Storage } from '../../src/storage/contract.ts'
import { createMemoryBudget, type MemoryBudget } from '../../src/storage/memory/budget.ts'
import { createS3Storage } from '../../src/storage/s3/s3-storage.ts'
import { startS3, type TestS3 } from './s3.ts'
import { type FaultProxy, startFaultProxy } from './s3-faults.ts'
import { contentOf, digestOf, MiB, sha256, type TestLedger, useCredentials } from './storage.ts'

export const mismatch = new Error('the checksum does not match')
export const accept = { verify() {} }
export const refuse = {
  verify() {
    throw mismatch
  },
}

/** Storage in a bucket that can fail, with little memory, and requests whose bytes are verified. */
export class VerifiedS3 {
  readonly s3: TestS3
  readonly faults: FaultProxy
  readonly memory: MemoryBudget = createMemoryBudget(16 * MiB)
  readonly storage: Storage
  readonly content = contentOf(26 * MiB)

  private constructor(s3: TestS3, faults: FaultProxy) {
    this.s3 = s3
    this.faults = faults
    const { bucket } = s3
    const options = { bucket, endpoint: faults.endpoint, region: 'us-east-1' }
    this.storage = createS3Storage({ ...options, memory: this.memory })
  }

  static async start(): Promise<VerifiedS3> {
    const s3 = await startS3()
    useCredentials(s3)
    return new VerifiedS3(s3, await startFaultProxy(s3.endpoint))
  }

  async close(): Promise<void> {
    await this.storage.close()
    await this.faults.close()
    await this.s3.close()
  }

  /** One request, with the bytes up to `end`. */
  append(
    ledger: TestLedger,
    end = this.content.length,
    options: AppendOptions = accept,
  ): Promise<number> {
    return ledger.append(this.storage, this.content, end, 65_536, options)
  }

  stagedKeysOf = async ({ key }: TestLedger): Promise<string[]> =>
    (await this.s3.listKeys(key)).filter((each) => each.includes('.staged-'))

  /** The object has these bytes, and nothing is left besides, here or there. */
  async expectWhole(ledger: TestLedger, whole = this.content): Promise<void> {
    expect(ledger.position.offset).toBe(whole.length)
    await ledger.complete(this.storage)
    expect(await digestOf(this.storage, ledger.key)).toBe(sha256(whole))
    await this.expectOnly(ledger, [ledger.key])
  }

  async expectOnly({ key }: TestLedger, keys: readonly string[]): Promise<void> {
    const { s3, memory } = this
    expect(await s3.listKeys(key)).toEqual(keys)
    if (s3.listsMultiparts) expect(await s3.listMultiparts(key)).toEqual([])
    expect(memory.held).toBe(0)
    expect(memory.waiting).toBe(0)
  }
}
