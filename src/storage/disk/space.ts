import { statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { hasCode } from '../../errors.ts'
import type { LimitedSpace } from '../contract.ts'
import { storageFull } from '../errors.ts'
import { onDisk } from './files.ts'

/**
 * Left for what has to be written to accept and convert an upload at all: by default the database
 * is on the same disk, and its write-ahead log alone takes 4 MiB between two checkpoints.
 */
const reserve = 16 * 2 ** 20

/** With so much to spare the disk is not asked each time: nobody fills that much in a moment. */
const ample = 2 ** 30
const moment = 1_000

/**
 * Whether the disk has room now. Nothing is set aside: uploads that are under way may use it up
 * meanwhile, which `append` then says.
 */
export function createDiskSpace(root: string): LimitedSpace {
  let seen = { free: 0, at: -Infinity }
  const look = async () => {
    seen = { free: await freeBytes(root), at: performance.now() }
  }
  return {
    requireRoom: (bytes) =>
      onDisk(async () => {
        const isRecent = performance.now() - seen.at < moment
        if (!isRecent || bytes + ample > seen.free) await look()
        if (bytes + reserve > seen.free) {
          throw storageFull(new Error(`${bytes} bytes asked for, ${seen.free} free at ${root}`))
        }
      }),
  }
}

/** Of the file system that a directory is on, or will be on once it is created. */
async function freeBytes(directory: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(directory)
    return bavail * bsize
  } catch (error) {
    const parent = dirname(directory)
    if (!hasCode(error, 'ENOENT') || parent === directory) throw error
    return freeBytes(parent)
  }
}
