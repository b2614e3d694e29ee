/** A log is for people to read; that nobody does, or that it has no room, is no reason to stop. */
import { existsSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { freePort } from '../support/free-port.ts'
import { type Program, spawnProgram, startProgram } from '../support/program.ts'
import { waitFor } from '../support/wait.ts'

/** Each is a line of some KB, all of them more than a pipe holds, and than may wait for it. */
const refusals = 1_000
const fullDevice = '/dev/full'
const needsDevice = `It writes to ${fullDevice}, which this system does not have.`

it('a log that nobody reads any more does not keep the program from its end', async () => {
  await using program = await startProgram()
  program.stopReading()
  expect(await program.stop()).toMatchObject({ code: 0 })
})

it('a log whose reader pauses does not keep anybody waiting, and tells what it left out', async () => {
  await using program = await startProgram()
  program.pauseReading()
  await refuse(program.url, refusals)
  program.resumeReading()
  const gap = await waitFor(async () => {
    await refuse(program.url, 10)
    return program.logs.find(({ dropped }) => dropped)
  })
  expect(gap.dropped).toBeLessThan(refusals)
  expect(await program.stop()).toMatchObject({ code: 0 })
})

it('a log whose reader pauses does not keep the program from its end', async () => {
  await using program = await startProgram()
  program.pauseReading()
  await refuse(program.url, refusals)
  const stopped = program.stop()
  await waitFor(() => !exists(program), { what: 'the process to be gone' })
  program.stopReading()
  expect(await stopped).toMatchObject({ code: 0 })
})

it('a log without room to grow keeps the program neither from its work nor from its end', async ({
  skip,
}) => {
  if (!existsSync(fullDevice)) {
    console.info(`a log without room: not tried. ${needsDevice}`)
    skip(needsDevice)
  }
  const port = await freePort()
  await using full = await open(fullDevice, 'w')
  await using program = await spawnProgram({ env: { PORT: `${port}` }, stdout: full.fd })
  const url = `http://127.0.0.1:${port}`
  await waitFor(() => fetch(`${url}/healthz`).catch(() => undefined))
  await refuse(url, 10)
  expect(await program.stop()).toMatchObject({ code: 0 })
})

async function refuse(url: string, times: number): Promise<void> {
  const answers = Array.from({ length: 10 }, async () => {
    for (let asked = 0; asked < times / 10; asked += 1) {
      const { status } = await fetch(`${url}/v1/${'none'.repeat(500)}`)
      expect(status).toBe(404)
    }
  })
  await Promise.all(answers)
}

function exists({ pid }: Program): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
