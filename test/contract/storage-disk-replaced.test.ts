import { rmSync, truncateSync, writeFileSync } from 'node:fs'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { contentOf, inChunks, startDisk, TestLedger } from '../support/storage.ts'
import { waitFor } from '../support/wait.ts'

const content = contentOf(5_000)
const file = vi.hoisted(() => ({ closeError: undefined as Error | undefined }))

vi.mock('node:fs/promises', async (importOriginal) => {
  const original = await importOriginal<typeof import('node:fs/promises')>()
  const open: typeof original.open = async (path, ...rest) => {
    const handle = await original.open(path, ...rest)
    const { close } = handle
    if (String(path).endsWith('.partial')) {
      handle.close = async () => {
        await close()
        if (file.closeError) throw file.closeError
      }
    }
    return handle
  }
  return { ...original, open }
})

describe('a file on the disk that others touch', () => {
  let disk: Awaited<ReturnType<typeof startDisk>>

  beforeAll(async () => {
    disk = await startDisk()
  })
  afterAll(() => disk?.close())
  afterEach(() => {
    file.closeError = undefined
    vi.restoreAllMocks()
  })

  const wholePath = (ledger: TestLedger) => join(disk.directory, ledger.key)

  const replace = (path: string) => {
    rmSync(path)
    writeFileSync(path, contentOf(5_000, 2))
  }
  const hasSize = (path: string, bytes: number) => () =>
    stat(path).then(
      ({ size }) => size === bytes,
      () => false,
    )

  it.each<[string, (path: string) => void]>([
    ['shorter', (path) => truncateSync(path, 100)],
    ['another one of the same size', replace],
  ])('is not recorded as whole when it is %s at its end', async (_, spoil) => {
    const ledger = new TestLedger(content.length)
    const path = wholePath(ledger)
    async function* body() {
      yield content
      await waitFor(hasSize(path, content.length), { intervalMs: 1 })
      spoil(path)
    }
    await expect(ledger.appendBody(disk.storage, body())).rejects.toMatchObject({
      code: 'upload-lost',
    })
    expect(ledger.records).toEqual([])
  })

  it('is not recorded as whole when it became another one before its last bytes', async () => {
    const ledger = new TestLedger(content.length)
    const path = `${wholePath(ledger)}.partial`
    async function* body() {
      yield content.subarray(0, 4_000)
      await waitFor(hasSize(path, 4_000), { intervalMs: 1 })
      replace(path)
      yield content.subarray(4_000)
    }
    await expect(ledger.appendBody(disk.storage, body())).rejects.toMatchObject({
      code: 'upload-lost',
    })
    expect(ledger.records).toEqual([])
  })

  it('is not overwritten, once it is whole, by a writer that thinks that nothing is there', async () => {
    const ledger = new TestLedger(content.length)
    const start = ledger.position
    await ledger.append(disk.storage, content)
    const refusal = new Error('the lease is lost')
    const refuse = () => Promise.reject(refusal)
    const body = inChunks(contentOf(5_000, 2))
    const late = disk.storage.append(start, body, refuse, new AbortController().signal)
    await expect(late).rejects.toBe(refusal)
    expect(await readFile(wholePath(ledger))).toEqual(content)
  })

  it('takes no room twice when it was renamed and never recorded', async () => {
    const ledger = new TestLedger(content.length)
    await writeFile(wholePath(ledger), contentOf(5_000, 2)).catch(async () => {
      await disk.storage.put(ledger.key, contentOf(5_000, 2), 'text/plain')
    })
    await ledger.append(disk.storage, content, 1_000)
    expect(await disk.listKeys(ledger.key)).toEqual([`${ledger.key}.partial`])
    await ledger.append(disk.storage, content)
    expect(await readFile(wholePath(ledger))).toEqual(content)
  })

  it('is whole even if closing it fails', async () => {
    const ledger = new TestLedger(content.length)
    file.closeError = Object.assign(new Error('close'), { code: 'EIO' })
    expect(await ledger.append(disk.storage, content)).toBe(content.length)
    expect(ledger.records).toMatchObject([{ offset: content.length, whole: true }])
  })
})
