import { parseInteger, parseSize, type Setting, type Values } from '../../settings.ts'
import { parseAccept } from './accept.ts'

/** As many as the rate can tell apart: one in sixty microseconds. */
const mostPerMinute = 1_000_000

export const limitSettings = {
  accept: {
    name: 'ACCEPT',
    expected: 'media types such as image/*,video/mp4, separated by commas',
    description:
      "Media types that are taken, as in HTML's `accept` without file extensions; by what is said when an upload begins, and by its first bytes at the end. Unset: every type.",
    parse: parseAccept,
  } satisfies Setting<string[]>,
  userMaxBytes: {
    name: 'USER_MAX_BYTES',
    expected: 'a size such as 500MiB or 5GiB',
    description:
      'Bytes each user may have in uploads, stored and begun; unset: as many as there is room for.',
    parse: (raw) => parseSize(raw) || undefined,
  } satisfies Setting<number>,
  userMaxUnfinished: {
    name: 'USER_MAX_UNFINISHED',
    expected: 'a whole number of at least 1',
    description: 'Unfinished uploads each user may have at a time; unset: any number.',
    parse: parseInteger(1),
  } satisfies Setting<number>,
  userUploadsPerMinute: {
    name: 'USER_UPLOADS_PER_MINUTE',
    expected: `a whole number from 1 to ${mostPerMinute}`,
    description:
      'Uploads each user may begin in a minute, that many of them at once; unset: any number.',
    parse: parseInteger(1, mostPerMinute),
  } satisfies Setting<number>,
}

/** What users may upload; each undefined where there is no limit. */
export type Limits = Values<typeof limitSettings>
