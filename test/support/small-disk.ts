import { execFileSync } from 'node:child_process'

export type SmallDisk = Disposable & ({ readonly directory: string } | { readonly missing: string })

/** A file system of a few MiB, or the reason why there is none. */
export function mountSmall(mebibytes: number): SmallDisk {
  const missing = (reason: string) => ({ missing: reason, [Symbol.dispose]() {} })
  if (process.getuid?.() !== 0) return missing('mounting needs root')
  const run = (...[command = '', ...args]: string[]) =>
    execFileSync(command, args, { encoding: 'utf8', stdio: 'pipe' }).trim()
  const directory = run('mktemp', '-d')
  try {
    run('mount', '-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'tmpfs', directory)
  } catch {
    run('rmdir', directory)
    return missing('mount is not allowed here')
  }
  return {
    directory,
    [Symbol.dispose]() {
      run('umount', directory)
      run('rmdir', directory)
    },
  }
}
