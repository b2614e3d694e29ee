import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { ConverterOptions } from '../../src/conversion/pool.ts'
import { messageOf } from '../../src/errors.ts'
import * as images from '../fixtures/images.ts'
import { nestedGroups, nestedUses } from '../fixtures/svg.ts'
import { type Converting, createConverting } from '../support/converting.ts'
import { testPreset } from '../support/presets.ts'
import { waitFor } from '../support/wait.ts'

const presets = [testPreset({ name: 'large', width: 2_048, height: 2_048 })]
const MiB = 2 ** 20
const onLinux = process.platform === 'linux'

let converting: Converting
let log: Array<{ message: string; pid: number; admitted: number }> = []

const directories: string[] = []

afterEach(async () => {
  await converting[Symbol.asyncDispose]()
  for (const directory of directories.splice(0)) await rm(directory, { recursive: true })
})

async function start(options: Partial<ConverterOptions>): Promise<void> {
  log = []
  const note = (fields: object, message: string) =>
    void log.push({ message, pid: 0, admitted: 0, ...fields })
  converting = await createConverting({
    logger: { debug: note, warn: () => undefined },
    ...options,
  })
}

const isRunning = (pid: number) =>
  stat(`/proc/${pid}`).then(
    () => true,
    () => false,
  )

const heic = () => readFile(new URL('../fixtures/heic/plain.heic', import.meta.url))

/** A decoder of HEIC that goes on for ever, and its process once it runs. */
async function dawdler() {
  const directory = await mkdtemp(join(tmpdir(), 'landfall-dawdler-'))
  directories.push(directory)
  const [program, file] = [join(directory, 'dawdle'), join(directory, 'pid')]
  await writeFile(program, `#!/bin/sh\necho $$ > ${file}\nexec /bin/sleep 600\n`)
  await chmod(program, 0o700)
  const read = async () => Number(await readFile(file, 'utf8').catch(() => '')) || undefined
  return { program, pid: () => waitFor(read, { what: 'the decoder' }) }
}

describe('memory for all conversions', () => {
  it('is waited for, and everyone gets a turn', async () => {
    // Each is estimated to need more than half of it, and two can look at their files.
    await start({ concurrency: 3, memory: 400 * MiB })
    const photo = await images.jpeg({ width: 3_000, height: 2_250, progressive: true })
    const results = await Promise.all([1, 2, 3].map(() => converting.convert(photo, presets)))
    expect(results.every(({ renditions }) => renditions.length === 1)).toBe(true)
    const settled = log.filter(({ message }) => message === 'conversion settled')
    expect(settled.length).toBe(3)
    expect(settled.every(({ admitted }) => admitted > 200 * MiB)).toBe(true)
  })

  it('that one image can never have fails it at once, with the numbers', async () => {
    await start({ memory: 256 * MiB })
    const failure = converting.convert(await images.hugePng({ interlaced: true }), presets)
    await expect(failure).rejects.toMatchObject({
      code: 'image-too-large',
      status: 422,
      message: expect.stringMatching(
        /20,000 × 20,000 .* 1,\d{3} MiB of memory; 256 MiB are allowed/,
      ),
    })
  })

  it.skipIf(!onLinux)('that is exceeded ends the process, and the file is at fault', async () => {
    await start({})
    await expect(converting.convert(nestedGroups(200), presets)).rejects.toMatchObject({
      code: 'image-too-large',
      status: 422,
      message: expect.stringMatching(/took \d+ MiB of memory instead of the \d+ MiB/),
    })
    const pid = log[0]?.pid ?? 0
    expect(await isRunning(pid)).toBe(false)
    expect((await converting.convert(await images.png(), presets)).renditions.length).toBe(1)
  })

  it.skipIf(!onLinux)('is also limited by the system', async () => {
    await start({ memory: 512 * MiB })
    await converting.convert(await images.png(), presets)
    const limits = await readFile(`/proc/${log[0]?.pid}/limits`, 'utf8')
    expect(Number(/Max data size\s+(\d+)/.exec(limits)?.[1])).toBe(1_536 * MiB)
  })
})

describe('time', () => {
  it('for SVG is short, as little text can ask for much work', async () => {
    await start({ svgDeadlineMs: 300 })
    await expect(converting.convert(nestedUses(12, 12), presets)).rejects.toMatchObject({
      code: 'conversion-timeout',
      status: 422,
    })
  })

  it.skipIf(!onLinux)('that is over ends what a conversion process had started', async () => {
    const { program, pid } = await dawdler()
    await start({ heifConvert: program })
    const stop = new AbortController()
    const failure = converting.convert(await heic(), presets, stop.signal).catch(messageOf)
    const started = await pid()
    expect(await isRunning(started)).toBe(true)
    stop.abort(new Error('enough'))
    expect(await failure).toBe('enough')
    await waitFor(async () => !(await isRunning(started)), { what: 'its end' })
  })
})
