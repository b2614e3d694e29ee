import { readFile } from 'node:fs/promises'
import type { Storage } from '../contract.ts'
import { Bucket } from './bucket.ts'
import { checkBucket, whereIs } from './check.ts'
import { createS3Client, type S3Options } from './client.ts'
import { createS3Uploads } from './uploads.ts'

/**
 * Storage in an S3 bucket, with credentials from where the AWS SDK looks for them. Nothing is
 * connected before the first call. `putFile` reads the file into memory: it is for renditions.
 */
export function createS3Storage(options: S3Options): Storage {
  const bucket = new Bucket(createS3Client(options), options.bucket, options.prefix ?? '')
  return {
    describe: () => `s3 ${options.bucket} at ${whereIs(options)}`,
    check: () => checkBucket(options),
    ping: () => bucket.verify(),
    put: (key, body, contentType) => bucket.put(key, body, contentType),
    putFile: async (key, path, contentType) => bucket.put(key, await readFile(path), contentType),
    head: (key) => bucket.head(key),
    read: (key, range, signal) => bucket.get(key, range, signal),
    remove: (keys) => bucket.remove(keys),
    close: async () => bucket.close(),
    ...createS3Uploads(bucket),
  }
}
