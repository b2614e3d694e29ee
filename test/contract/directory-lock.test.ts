import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { lockDirectory } from '../../src/database/directory-lock.ts'
import { runProgram, startProgram } from '../support/program.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

it('a directory is one program’s until it lets go', async () => {
  await using directory = await temporaryDirectory()
  const path = join(directory.path, 'data')
  const unlock = lockDirectory(path)
  expect(() => lockDirectory(path)).toThrow(`DATA_DIR=${path}: another Landfall is using it`)
  unlock()
  lockDirectory(path)()
})

it('a second program on the same data does not start, and a killed one holds nobody up', async () => {
  await using directory = await temporaryDirectory()
  const dataDir = join(directory.path, 'data')
  await mkdir(dataDir)
  await using first = await startProgram({ dataDir })
  const second = await runProgram({ dataDir })
  expect(second).toMatchObject({ code: 2, stderr: expect.stringContaining(`DATA_DIR=${dataDir}`) })
  await first.kill('SIGKILL')
  await using third = await startProgram({ dataDir })
  expect((await fetch(`${third.url}/readyz`)).status).toBe(200)
})
