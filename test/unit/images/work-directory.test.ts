import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { createWorkDirectories } from '../../../src/images/work-directory.ts'
import { createInstance } from '../../../src/operations/instance.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'

const hour = 3_600

/** What a process of a host that was started anew, or of a container that is no more, leaves. */
async function leftBehind(root: string, host: string, secondsAgo: number): Promise<void> {
  const job = join(root, encodeURIComponent(`${host}:7:0`), 'job-abc')
  await mkdir(job, { recursive: true })
  await writeFile(join(job, 'original'), 'bytes')
  const then = Date.now() / 1_000 - secondsAgo
  for (const path of [join(job, 'original'), job, join(job, '..')]) await utimes(path, then, then)
}

it('work directories of processes nobody knows are swept once nothing moved in them for a day', async () => {
  await using directory = await temporaryDirectory()
  const root = directory.path
  await leftBehind(root, 'gone', 25 * hour)
  await leftBehind(root, 'elsewhere', hour)
  await mkdir(join(root, 'notes'))
  await utimes(join(root, 'notes'), 0, 0)
  const directories = createWorkDirectories(root, createInstance({ host: 'here' }))
  await directories.sweep()
  expect(await readdir(root)).toEqual([encodeURIComponent('elsewhere:7:0'), 'notes'])
})
