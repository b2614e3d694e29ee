import { expect, it } from 'vitest'
import { toImage } from '../../../src/images/image.ts'
import { lendOriginal } from '../../../src/images/lend-original.ts'
import { createWorkDirectories } from '../../../src/images/work-directory.ts'
import { createInstance } from '../../../src/operations/instance.ts'
import { never, silent } from '../../support/leases.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'

it('copies no original that would fill the disk', async () => {
  await using root = await temporaryDirectory()
  const refuse = () => Promise.reject(new Error('not asked for'))
  const storage = {
    ...{ describe: () => 'elsewhere', check: refuse, ping: refuse, close: refuse },
    ...{ put: refuse, putFile: refuse, head: refuse, remove: refuse, read: refuse },
  }
  const nothing = {
    ...{ error_code: null, error_message: null, filename: null, content_type: null, exif: null },
    ...{ format: null, width: null, height: null, sha256: null, thumbhash: null, color: null },
  }
  const image = toImage(
    {
      ...{ id: 'a', owner: 'local', state: 'processing', size: 2 ** 60, created_at: 0 },
      ...{ ...nothing, finished_at: null, revision: 0 },
    },
    [],
  )
  const directories = createWorkDirectories(root.path, createInstance())
  const lending = lendOriginal({ storage, directories, logger: silent }, image, never, refuse)
  await expect(lending).rejects.toMatchObject({ code: 'storage-full', status: 507 })
})
