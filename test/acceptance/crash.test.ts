import { globSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { Api, sha256Of } from '../support/api.ts'
import { deploymentKinds } from '../support/deployments.ts'
import { makePhoto } from '../support/photo.ts'
import { uploadBuffer } from '../support/upload.ts'
import { waitFor } from '../support/wait.ts'

describe.each(deploymentKinds)('on $name', ({ create }) => {
  it('kill -9 during a conversion loses nothing: the image becomes ready, once', async () => {
    const photo = await makePhoto()
    await using deployment = await create()
    const first = await deployment.start()
    const { id } = await uploadBuffer(first.url, photo, { filename: 'photo.jpg' })
    const started = () => globSync('**/*.{webp,avif}', { cwd: deployment.dataDir }).length > 0
    await waitFor(started, { intervalMs: 5, what: 'a first rendition to be begun' })
    expect((await new Api(first).image(id)).state).toBe('processing')
    await first.kill('SIGKILL')

    const second = await deployment.start()
    const api = new Api(second)
    const image = await api.converted(id)
    expect(image.state).toBe('ready')
    const made = image.renditions.map(({ preset, format }) => `${preset}.${format}`)
    expect(made).toHaveLength(6)
    expect(new Set(made).size).toBe(6)
    const objects = (await deployment.storedKeys()).filter((key) => key.startsWith('images/'))
    expect(objects).toHaveLength(6)
    expect((await api.images()).items.map((item) => item.id)).toEqual([id])
    expect(sha256Of(await api.content(id))).toBe(sha256Of(photo))

    expect((await second.stop()).code).toBe(0)
    const third = await deployment.start()
    expect(await new Api(third).image(id)).toEqual(image)
  }, 180_000)
})
