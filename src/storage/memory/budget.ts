import { BlockPool } from './block-pool.ts'
import { grants, keptFree, overdraftSlice, overdrawer, spillers } from './policy.ts'
import { MemoryShare } from './share.ts'

/** How often it is looked who is silent, while somebody waits or much is held. */
const interval = 50

/** What a share needs of the budget it is a part of. */
export interface SharedMemory {
  readonly pool: BlockPool
  readonly limit: number
  /** Grants what a share wants, now or later. */
  settle(): void
  /** Whether so much more may be taken at once. */
  hasRoom(share: MemoryShare, size: number): boolean
  /** Whether another share waits for memory. */
  isWaiting(except: MemoryShare): boolean
  add(bytes: number): void
  leave(share: MemoryShare): void
}

/** The memory that all uploads together may use for what has arrived and is not stored yet. */
export interface MemoryBudget {
  /** Bytes of all blocks in use. */
  readonly held: number
  /** Bytes it keeps from the system: those in use, and blocks that lie ready. */
  readonly kept: number
  readonly waiting: number
  /** A share for one upload. It must be closed. */
  open(): MemoryShare
}

/** @param limit Bytes. `policy.ts` says who gets them, and by how much they may be exceeded. */
export function createMemoryBudget(limit: number): MemoryBudget {
  const pool = new BlockPool()
  const shares = new Set<MemoryShare>()
  let held = 0
  let timer: NodeJS.Timeout | undefined
  let lastLook = 0
  let wasLate = false
  let overdrawn: { share: MemoryShare; until: number } | undefined

  const waiting = () => {
    let count = 0
    for (const share of shares) if (share.wants) count += 1
    return count
  }

  const shared: SharedMemory = {
    pool,
    limit,
    settle,
    hasRoom(share, size) {
      const more = size - share.filling
      return waiting() === 0 && limit - held - more >= keptFree(share, size, limit)
    },
    isWaiting(except) {
      for (const share of shares) if (share.wants && share !== except) return true
      return false
    },
    add(bytes) {
      held += bytes
      // Blocks that lie ready are memory, too: they make room for those in use.
      if (bytes > 0) pool.trim(Math.max(0, limit - held))
      if (held > limit / 2) watch()
    },
    leave(share) {
      shares.delete(share)
      if (overdrawn?.share === share) overdrawn = undefined
      settle()
    },
  }

  function settle(): void {
    if (held <= limit && !overdrawn?.share.overdraws) overdrawn = undefined
    if (waiting() === 0) return
    const now = performance.now()
    for (const share of grants([...shares], limit, now)) share.grant()
    overdraw(now)
    if (waiting() > 0) watch()
  }

  function overdraw(now: number): void {
    if (overdrawn) return
    const share = overdrawer([...shares], now)
    if (!share) return
    overdrawn = { share, until: now + overdraftSlice(share.full) }
    share.overdraw()
    share.grant()
  }

  /** Looks who is silent; not right after the process itself was too busy to hear anybody. */
  function look(): void {
    const now = performance.now()
    const isLate = now - lastLook > 3 * interval && !wasLate
    lastLook = now
    wasLate = isLate
    if (!isLate) {
      for (const share of spillers([...shares], limit, now)) share.tellToSpill()
      if (isOverdue(now)) overdrawn?.share.tellToSpill()
    }
    settle()
    if (waiting() > 0 || held > limit / 2) return
    clearInterval(timer)
    timer = undefined
  }

  /** Whether the time of the one that went over has come to its end, and others wait. */
  function isOverdue(now: number): boolean {
    return overdrawn?.share.overdraws === true && now >= overdrawn.until && waiting() > 0
  }

  function watch(): void {
    if (timer) return
    lastLook = performance.now()
    timer = setInterval(look, interval).unref()
  }

  return {
    get held() {
      return held
    },
    get kept() {
      return held + pool.freeBytes
    },
    get waiting() {
      return waiting()
    },
    open() {
      const share = new MemoryShare(shared)
      shares.add(share)
      return share
    },
  }
}
