import { rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface TemporaryDirectory extends AsyncDisposable {
  readonly path: string
}

const paths = new Set<string>()

process.on('exit', () => {
  for (const path of paths) rmSync(path, { recursive: true, force: true })
})

/** An empty directory that is removed when it is disposed of, or at the latest when this process ends. */
export async function temporaryDirectory(): Promise<TemporaryDirectory> {
  const path = await mkdtemp(join(tmpdir(), 'landfall-test-'))
  paths.add(path)
  return {
    path,
    async [Symbol.asyncDispose]() {
      await rm(path, { recursive: true, force: true, maxRetries: 5 })
      paths.delete(path)
    },
  }
}
