import { resolve } from 'node:path'
import type { LocalFiles, Storage } from '../contract.ts'
import { createDiskObjects } from './objects.ts'
import { createDiskUploads } from './uploads.ts'

/**
 * Storage in a directory of this machine, created when it is first needed. What is acknowledged
 * survives a power failure.
 */
export function createDiskStorage(directory: string): Storage & LocalFiles {
  const root = resolve(directory)
  return {
    ...createDiskObjects(root),
    ...createDiskUploads(root),
    describe: () => `disk ${directory}`,
  }
}
