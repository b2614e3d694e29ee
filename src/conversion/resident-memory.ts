import { readFileSync } from 'node:fs'

/** The bytes a process may have between two jobs, and for looking at a file. */
export const restingBytes = 192 * 2 ** 20

const pageBytes = 4_096

/**
 * The bytes of memory that a process and those it started have in use; undefined where there is no
 * `/proc`, and for a process that is gone. Pages shared between them count for each. It does not
 * wait: the kernel answers from memory, in microseconds, and a busy thread pool cannot delay it.
 */
export function residentBytes(pid: number): number | undefined {
  const own = residentPages(pid)
  if (own === undefined) return undefined
  const others = childrenOf(pid).map((child) => residentPages(child) ?? 0)
  return [own, ...others].reduce((sum, pages) => sum + pages) * pageBytes
}

function residentPages(pid: number): number | undefined {
  const pages = Number(read(`/proc/${pid}/statm`).split(' ')[1])
  return Number.isFinite(pages) ? pages : undefined
}

function childrenOf(pid: number): number[] {
  return read(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number)
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
