import { randomUUID } from 'node:crypto'
import {
  CreateBucketCommand,
  ListMultipartUploadsCommand,
  paginateListObjectsV2,
  S3Client,
} from '@aws-sdk/client-s3'
import { buildApp } from 'fauxqs'

export interface TestS3 {
  readonly endpoint: string
  readonly bucket: string
  /** What a server process needs to use the bucket. */
  readonly env: Readonly<Record<string, string>>
  /** Whether it can list multipart uploads, as real services can. */
  readonly listsMultiparts: boolean
  /** All keys in the bucket, sorted. */
  listKeys(prefix?: string): Promise<string[]>
  /** The ids of the multipart uploads that are open under a prefix. */
  listMultiparts(prefix?: string): Promise<string[]>
  close(): Promise<void>
}

/**
 * An S3 service with an empty bucket: fauxqs in this process, or with `S3_TEST_ENDPOINT` (and
 * `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`) one that runs already.
 */
export async function startS3(): Promise<TestS3> {
  const external = process.env.S3_TEST_ENDPOINT
  const { endpoint, stop } = external
    ? { endpoint: external, stop: async () => {} }
    : await startFauxqs()
  const credentials = {
    accessKeyId: (external && process.env.AWS_ACCESS_KEY_ID) || 'test-key',
    secretAccessKey: (external && process.env.AWS_SECRET_ACCESS_KEY) || 'test-secret',
  }
  const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials })
  const bucket = `landfall-${randomUUID()}`
  await client.send(new CreateBucketCommand({ Bucket: bucket }))
  return {
    endpoint,
    bucket,
    env: {
      S3_ENDPOINT: endpoint,
      S3_BUCKET: bucket,
      S3_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    },
    listsMultiparts: external !== undefined,
    listKeys: (prefix) => listKeys(client, bucket, prefix),
    listMultiparts: (prefix) => listMultiparts(client, bucket, prefix),
    async close() {
      client.destroy()
      await stop()
    },
  }
}

async function startFauxqs() {
  const app = buildApp({ logger: false })
  const endpoint = await app.listen({ host: '127.0.0.1', port: 0 })
  return { endpoint, stop: () => app.close() }
}

async function listKeys(client: S3Client, bucket: string, prefix = ''): Promise<string[]> {
  const keys: string[] = []
  for await (const page of paginateListObjectsV2({ client }, { Bucket: bucket, Prefix: prefix })) {
    for (const { Key: key } of page.Contents ?? []) if (key) keys.push(key)
  }
  return keys.sort()
}

async function listMultiparts(client: S3Client, bucket: string, prefix = ''): Promise<string[]> {
  const list = new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: prefix })
  const { Uploads: uploads = [] } = await client.send(list)
  return uploads.flatMap((upload) => upload.UploadId ?? [])
}
