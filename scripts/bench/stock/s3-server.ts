/** The stack Landfall is measured against: @tus/server on @tus/s3-store, as their guides show it. */
import { createServer } from 'node:http'
import { S3Store } from '@tus/s3-store'
import { Server } from '@tus/server'
import { announce } from '../announce.ts'

const { S3_ENDPOINT, S3_BUCKET, S3_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = process.env

const datastore = new S3Store({
  partSize: 8 * 1024 * 1024,
  s3ClientConfig: {
    bucket: S3_BUCKET ?? '',
    region: S3_REGION ?? '',
    credentials: {
      accessKeyId: AWS_ACCESS_KEY_ID ?? '',
      secretAccessKey: AWS_SECRET_ACCESS_KEY ?? '',
    },
    endpoint: S3_ENDPOINT ?? '',
    forcePathStyle: true,
  },
})
const tus = new Server({ path: '/files', datastore })

announce(createServer((request, response) => void tus.handle(request, response)))
