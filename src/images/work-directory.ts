import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError, messageOf } from '../errors.ts'
import type { Instance } from '../operations/instance.ts'

export interface WorkDirectories {
  /**
   * Removes what processes that are no more left behind.
   * @throws AppError `data-unusable`, naming the setting.
   */
  sweep(): Promise<void>
  /** Lends `work` an empty directory and removes it afterwards, whatever happened. */
  lend<T>(work: (directory: string) => Promise<T>): Promise<T>
}

/** Directories of single jobs, under one of this process, so that a crash leaves nothing for ever. */
export function createWorkDirectories(root: string, instance: Instance): WorkDirectories {
  const own = join(root, encodeURIComponent(instance.holder))
  return {
    async sweep() {
      await mkdir(root, { recursive: true }).catch((cause) => {
        throw new AppError(
          'data-unusable',
          500,
          `DATA_DIR: cannot make ${root} (${messageOf(cause)})`,
          { cause },
        )
      })
      for (const name of await readdir(root)) {
        if (instance.isDeadHolder(holderOf(name))) {
          await rm(join(root, name), { recursive: true, force: true })
        }
      }
    },
    async lend(work) {
      await mkdir(own, { recursive: true })
      const directory = await mkdtemp(join(own, 'job-'))
      try {
        return await work(directory)
      } finally {
        await rm(directory, { recursive: true, force: true })
      }
    },
  }
}

/** Names that are not ours decode to nothing, and nobody is known to be dead by that name. */
function holderOf(name: string): string {
  try {
    return decodeURIComponent(name)
  } catch {
    return ''
  }
}
