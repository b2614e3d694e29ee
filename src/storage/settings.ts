import { parseBoolean, parseHttpUrl, type Setting } from '../settings.ts'

export const storageSettings = {
  bucket: {
    name: 'S3_BUCKET',
    expected: 'the name of a bucket, or nothing for the disk',
    description: 'The bucket objects are kept in; unset: in files under `DATA_DIR`.',
    parse: (raw) => (/^[a-z0-9][a-z0-9._-]{1,253}[a-z0-9]$/i.test(raw) ? raw : undefined),
  } satisfies Setting<string>,
  endpoint: {
    name: 'S3_ENDPOINT',
    expected: 'an http or https URL, or nothing for AWS',
    description: 'An S3 service that is not AWS.',
    parse: parseHttpUrl,
  } satisfies Setting<string>,
  region: {
    name: 'S3_REGION',
    default: 'us-east-1',
    expected: 'the name of a region, such as eu-central-1',
    description: 'The region of the bucket.',
    parse: (raw) => (/^[a-z0-9-]{1,63}$/i.test(raw) ? raw : undefined),
  } satisfies Setting<string>,
  forcePathStyle: {
    name: 'S3_FORCE_PATH_STYLE',
    expected: 'true or false',
    description:
      'Whether the bucket is named in the path and not in the host name; unset: true with `S3_ENDPOINT`.',
    parse: parseBoolean,
  } satisfies Setting<boolean>,
  prefix: {
    name: 'S3_PREFIX',
    expected: 'a path such as landfall/, of at most 200 characters',
    description: 'Put before every key, to share a bucket.',
    parse: parsePrefix,
  } satisfies Setting<string>,
}

/** Without slashes at the start and with one at the end, unless nothing is left. */
function parsePrefix(raw: string): string | undefined {
  if (!/^[\w!.*'()/ -]{0,200}$/.test(raw)) return undefined
  const path = raw.replace(/^\/+|\/+$/g, '')
  return path === '' ? '' : `${path}/`
}
