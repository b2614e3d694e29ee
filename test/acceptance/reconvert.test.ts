import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { Api } from '../support/api.ts'
import { deploymentKinds } from '../support/deployments.ts'
import { makePhoto } from '../support/photo.ts'
import { uploadBuffer } from '../support/upload.ts'

const minute = 60_000
const script = resolve(import.meta.dirname, '../../scripts/reconvert/run.ts')
const run = promisify(execFile)

describe.each(deploymentKinds.filter(({ name }) => /disk/.test(name)))('on $name', ({ create }) => {
  it(
    'changed presets are made of what is there, by one command beside the server',
    async () => {
      await using deployment = await create()
      const file = join(deployment.dataDir, 'presets.json')
      const settings = { PRESETS_FILE: file }
      const presets = (width: number) =>
        writeFile(file, JSON.stringify({ presets: [{ name: 'box', width, formats: ['webp'] }] }))
      /** The command, with what it needs to find the same database. */
      const reconvert = (...given: string[]) =>
        run(process.execPath, [script, ...given], {
          env: { ...process.env, ...deployment.env, ...settings },
        })
      await presets(100)
      let program = await deployment.start(settings)
      const photo = await makePhoto({ width: 400, height: 300 })
      const { id } = await uploadBuffer(program.url, photo, { filename: 'photo.jpg' })
      const [before] = (await new Api(program).converted(id)).renditions
      expect(before).toMatchObject({ width: 100, url: `/v1/images/${id}/box` })
      await program.stop()
      await presets(200)
      program = await deployment.start(settings)
      expect((await reconvert('--preset', 'box', '--dry-run')).stdout).toContain('1 image')
      expect((await reconvert('--all')).stdout).toContain('done: 1')
      expect((await reconvert('--all')).stdout).toContain('0 images')
      const api = new Api(program)
      const [after] = (await api.image(id)).renditions
      expect(after).toMatchObject({ width: 200, url: `/v1/images/${id}/box?v=2` })
      expect(await api.bytes(after?.url ?? '')).toHaveLength(after?.size ?? 0)
      await expect(reconvert('--preset', 'bax')).rejects.toMatchObject({
        code: 2,
        stderr: 'landfall: --preset bax: expected one of box\n',
      })
      await expect(reconvert()).rejects.toMatchObject({
        code: 2,
        stderr: expect.stringMatching(/^landfall: usage: npm run reconvert[^\n]*\n$/),
      })
      expect((await program.stop()).code).toBe(0)
    },
    3 * minute,
  )
})
