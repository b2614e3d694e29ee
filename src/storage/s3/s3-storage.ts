import { readFile } from 'node:fs/promises'
import type { SignedLinks, Storage } from '../contract.ts'
import type { DirectUploads } from '../direct-uploads.ts'
import { createMemoryBudget } from '../memory/budget.ts'
import { Bucket, withChecksum } from './bucket.ts'
import { checkBucket, whereIs } from './check.ts'
import { createS3Client, type S3Options } from './client.ts'
import { createDirectUploads } from './direct-uploads.ts'
import { noTrust } from './integrity.ts'
import { createSignedLinks } from './signed-links.ts'
import { createS3Uploads } from './uploads.ts'

const usualMemory = 96 * 2 ** 20

/**
 * Storage in an S3 bucket, with credentials from where the AWS SDK looks for them. Nothing is
 * connected before the first call. `putFile` reads the file into memory: it is for renditions.
 */
export function createS3Storage(options: S3Options): Storage & SignedLinks & DirectUploads {
  const { memory = createMemoryBudget(usualMemory), prefix = '' } = options
  const trust = noTrust()
  const client = createS3Client(options, trust)
  const bucket = new Bucket(client, options.bucket, prefix)
  return {
    describe: () => `s3 ${options.bucket} at ${whereIs(options)}`,
    check: () => checkBucket(options, trust),
    ping: () => bucket.verify(),
    async put(key, body, contentType) {
      await bucket.put(key, withChecksum(body), contentType)
    },
    async putFile(key, path, contentType) {
      await bucket.put(key, withChecksum(await readFile(path)), contentType)
    },
    head: (key) => bucket.head(key),
    read: (key, range, signal) => bucket.get(key, range, signal),
    remove: (keys) => bucket.remove(keys),
    close: async () => bucket.close(),
    ...createS3Uploads(bucket, memory),
    ...createSignedLinks(client, options.bucket, prefix),
    ...createDirectUploads(client, bucket, { name: options.bucket, prefix }),
  }
}
