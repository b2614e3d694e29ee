import { resolve } from 'node:path'
import type { LimitedSpace, LocalFiles, Storage } from '../contract.ts'
import { createDiskObjects } from './objects.ts'
import { createDiskSpace } from './space.ts'
import { createDiskUploads } from './uploads.ts'

/**
 * Storage in a directory of this machine, created when it is first needed. What is acknowledged
 * survives a power failure.
 */
export function createDiskStorage(directory: string): Storage & LocalFiles & LimitedSpace {
  const root = resolve(directory)
  return {
    ...createDiskObjects(root),
    ...createDiskUploads(root),
    ...createDiskSpace(root),
    describe: () => `disk ${directory}`,
  }
}
