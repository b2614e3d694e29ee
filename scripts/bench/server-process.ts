import { join } from 'node:path'
import { Child } from '../../test/support/child.ts'
import { temporaryDirectory } from '../../test/support/temporary-directory.ts'

/** A server of the bench in a process of its own, which listens. */
export interface ServerProcess extends AsyncDisposable {
  readonly pid: number
  readonly url: string
}

/**
 * Starts a script of this folder and waits until it listens. What it writes into the directory for
 * temporary files goes with it. @param args What follows the script; it may want the directory.
 */
export async function startServerProcess(
  script: string,
  args: (directory: string) => readonly string[] = () => [],
  env: Readonly<Record<string, string>> = {},
): Promise<ServerProcess> {
  const resources = new AsyncDisposableStack()
  const { path: directory } = resources.use(await temporaryDirectory())
  const child = resources.use(
    new Child({
      args: [join(import.meta.dirname, script), ...args(directory)],
      env: { PATH: process.env.PATH ?? '', TMPDIR: directory, ...env },
    }),
  )
  const url = await child.firstOutput(() => /"url":"([^"]+)"/.exec(child.stdout)?.[1])
  if (url === undefined) {
    await resources.disposeAsync()
    throw new Error(`${script} did not start:\n${child.stderr}`)
  }
  return { pid: child.pid, url, [Symbol.asyncDispose]: () => resources.disposeAsync() }
}
