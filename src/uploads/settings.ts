import { parseSize, type Setting } from '../settings.ts'

export const uploadSettings = {
  maxSize: {
    name: 'MAX_UPLOAD_SIZE',
    default: '5TiB',
    expected: 'a size such as 500MiB or 5GiB',
    description: 'The largest upload accepted, in bytes or with KiB, MiB, GiB, TiB.',
    parse: (raw) => parseSize(raw) || undefined,
  } satisfies Setting<number>,
}
