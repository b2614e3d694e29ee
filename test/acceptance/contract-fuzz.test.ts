/**
 * Requests made from the server's own description of itself, right ones and wrong ones: none is
 * answered 5xx, and every answer is one that the description has. `FUZZ_RUNS` says how many,
 * `FUZZ_SEED` which.
 */
import { randomInt } from 'node:crypto'
import sharp from 'sharp'
import { beforeAll, describe, expect, it } from 'vitest'
import { deploymentKinds } from '../support/deployments.ts'
import { type ApiDocument, readDocument } from '../support/fuzz/document.ts'
import { type FuzzReport, fuzz } from '../support/fuzz/run.ts'
import { missingProcesses, residentBytes } from '../support/processes.ts'
import type { Program } from '../support/program.ts'
import { testSecret, tokenOf } from '../support/tokens.ts'

const isFull = process.env.TEST_CORPUS === 'full'
const runs = Number(process.env.FUZZ_RUNS ?? (isFull ? 10_000 : 1_000))
const seed = Number(process.env.FUZZ_SEED ?? randomInt(2 ** 31))
const timeoutMs = 60_000 + runs * 180
const mebibyte = 2 ** 20

/** Whatever is larger than this is refused before there is no room for it, which were a 507. */
const settings = { AUTH_JWT_SECRET: testSecret, MAX_UPLOAD_SIZE: '16MiB' }

/** More than the program needs for any of this, and less than a leak of what 10,000 requests bring. */
const mostMemory = 600 * mebibyte

const kinds = deploymentKinds.filter(({ name }) => /disk and sqlite|s3 and postgres/.test(name))

let contents: Buffer[]

beforeAll(async () => {
  contents = await makeContents()
})

describe.each(kinds)('the API on $name', ({ create }) => {
  it(
    `answers ${runs} requests as its OpenAPI document says`,
    async () => {
      console.log(`FUZZ_SEED=${seed} FUZZ_RUNS=${runs}`)
      await using deployment = await create()
      const program = await deployment.start(settings)
      const document = readDocument(await (await fetch(`${program.url}/openapi.json`)).json())
      const { faults, answers } = await fuzz({ url: program.url, document, runs, seed, contents })
      if (process.env.FUZZ_TELL) console.log(toldAnswers(answers))
      expect(faults.join('\n'), `FUZZ_SEED=${seed}`).toBe('')
      expectCovered(document, answers)
      await expectWell(program)
    },
    timeoutMs,
  )
})

/** Whether every operation was asked for, and most of them with success at some time. */
function expectCovered({ operations }: ApiDocument, answers: FuzzReport['answers']): void {
  if (runs < 1_000) return
  const names = operations.map(({ method, path }) => `${method} ${path}`)
  expect(names.filter((name) => !answers.has(name))).toEqual([])
  const fine = names.filter((name) =>
    [...(answers.get(name)?.keys() ?? [])].some((status) => status < 400),
  )
  expect(fine.length).toBeGreaterThan(names.length * 0.7)
}

async function expectWell(program: Program): Promise<void> {
  expect(program.running).toBe(true)
  const ready = await fetch(`${program.url}/readyz`)
  expect(await ready.json()).toMatchObject({ status: 'ok' })
  if (!missingProcesses) expect(residentBytes(program.pid)).toBeLessThan(mostMemory)
  const [header = ''] = (await tokenOf('ada')).split('.')
  expect(program.stdout).not.toContain(`${header}.`)
  expect((await program.stop()).code).toBe(0)
}

/** Small ones, since each of them is converted over and over. */
async function makeContents(): Promise<Buffer[]> {
  const make = (width: number) =>
    sharp({ create: { width, height: 48, channels: 3, background: '#336699' } })
  const jpeg = await make(64).jpeg().toBuffer()
  return [
    jpeg,
    await make(80).png().toBuffer(),
    jpeg.subarray(0, jpeg.length - 100),
    Buffer.from('These words are no picture.\n'),
    Buffer.alloc(0),
    Buffer.alloc(64, 'x'),
  ]
}

function toldAnswers(answers: FuzzReport['answers']): string {
  const lines = [...answers].map(([name, statuses]) => {
    const sorted = [...statuses].toSorted(([a], [b]) => a - b)
    return `${name}: ${sorted.map(([status, times]) => `${status}×${times}`).join(' ')}`
  })
  return lines.toSorted().join('\n')
}
