/** The memory of a process and all its children, as Linux tells it under /proc. */
import { readFileSync } from 'node:fs'
import { childrenOf } from './process-usage.ts'

export interface TreeMemory {
  /** The most resident memory of all together. What several of them share counts for each. */
  readonly peakRssBytes: number
  /** The same, where what is shared by n processes counts as an n-th for each. */
  readonly peakPssBytes: number
}

export interface TreeWatch extends Disposable {
  /** NaN where there is no /proc. */
  readonly memory: TreeMemory
}

const lookEveryMs = 25
/** Of looks, one at what is shared: for that the system has to walk through all pages. */
const pssEvery = 8

/** Looks often until it is disposed of; a peak between two looks is missed. */
export function watchTree(pid: number): TreeWatch {
  const memory = { peakRssBytes: Number.NaN, peakPssBytes: Number.NaN }
  let looks = 0
  const look = () => {
    const pids = treeOf(pid)
    memory.peakRssBytes = larger(memory.peakRssBytes, sumOf(pids, rssOf))
    if (looks % pssEvery === 0) {
      memory.peakPssBytes = larger(memory.peakPssBytes, sumOf(pids, pssOf))
    }
    looks += 1
  }
  look()
  const timer = setInterval(look, lookEveryMs)
  return { memory, [Symbol.dispose]: () => clearInterval(timer) }
}

function treeOf(pid: number): number[] {
  try {
    return [pid, ...childrenOf(pid).flatMap(treeOf)]
  } catch {
    return []
  }
}

function rssOf(pid: number): number {
  return kibibytesOf(readFileSync(`/proc/${pid}/status`, 'utf8'), /^VmRSS:\s+(\d+) kB$/m)
}

function pssOf(pid: number): number {
  return kibibytesOf(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'), /^Pss:\s+(\d+) kB$/m)
}

/** A process that is just ending has none. */
function kibibytesOf(text: string, field: RegExp): number {
  return Number(field.exec(text)?.[1] ?? 0) * 1024
}

/** Of those that are still there. */
function sumOf(pids: readonly number[], bytesOf: (pid: number) => number): number {
  if (pids.length === 0) return Number.NaN
  const bytes = pids.map((pid) => {
    try {
      return bytesOf(pid)
    } catch {
      return 0
    }
  })
  return bytes.reduce((sum, one) => sum + one, 0)
}

function larger(known: number, seen: number): number {
  return known > seen ? known : seen || known
}
