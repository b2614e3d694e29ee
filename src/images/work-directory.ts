import { mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError, messageOf } from '../errors.ts'
import type { Instance } from '../operations/instance.ts'

const abandonedAfterMs = 86_400_000

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
        const directory = join(root, name)
        const holder = holderOf(name)
        if (instance.isDeadHolder(holder) || (isOurs(holder) && (await isAbandoned(directory)))) {
          await rm(directory, { recursive: true, force: true })
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

function isOurs(holder: string): boolean {
  return /:\d+:[^:]+$/.test(holder)
}

/**
 * Whether nothing has moved for long. Of a host that was started anew, or a container that is no
 * more, nobody can tell that its process is gone; but no job that is alive stands still for a day.
 */
async function isAbandoned(directory: string): Promise<boolean> {
  const inside = await readdir(directory, { recursive: true }).catch(() => [])
  for (const path of ['', ...inside]) {
    // What goes away meanwhile is somebody's who is at work.
    const found = await stat(join(directory, path)).catch(() => undefined)
    if (!found || Date.now() - found.mtimeMs < abandonedAfterMs) return false
  }
  return true
}

/** Names that are not ours decode to nothing, and nobody is known to be dead by that name. */
function holderOf(name: string): string {
  try {
    return decodeURIComponent(name)
  } catch {
    return ''
  }
}
