import { apiComments, apiImages, apiPosts } from './api/lanes.ts'
import { landfallOnDisk, landfallOnS3, relayOnS3, stockOnDisk, stockOnS3 } from './contestants.ts'
import { imagesBatch } from './images/batch.ts'
import { imagesLarge } from './images/large.ts'
import type { Lane } from './lane.ts'
import { queueEmpty } from './queue/empty-jobs.ts'
import { s3Idle } from './s3-idle.ts'
import { s3Parts } from './s3-parts.ts'
import { smallUploadsLane } from './small-uploads.ts'
import { uploadsLane } from './uploads.ts'

const mebibyte = 2 ** 20
const onDisk = [landfallOnDisk, stockOnDisk]
const onS3 = [landfallOnS3, stockOnS3]

export const lanes: readonly Lane[] = [
  uploadsLane({
    name: 'disk-upload',
    description: 'one upload to disk over loopback, in one request',
    contestants: onDisk,
    size: 512 * mebibyte,
  }),
  uploadsLane({
    name: 'disk-upload-chunks',
    description: 'one upload to disk over loopback, in requests of 8 MiB',
    contestants: onDisk,
    size: 512 * mebibyte,
    chunkSize: 8 * mebibyte,
  }),
  smallUploadsLane('disk-small', onDisk),
  uploadsLane({
    name: 's3-upload',
    description: 'one upload to S3 over loopback, in one request',
    contestants: [...onS3, relayOnS3],
    size: 1024 * mebibyte,
  }),
  uploadsLane({
    name: 's3-concurrent',
    description: '100 uploads of 32 MiB to S3 at the same time, each in one request',
    contestants: onS3,
    size: 32 * mebibyte,
    count: 100,
  }),
  s3Idle,
  s3Parts,
  smallUploadsLane('s3-small', onS3),
  imagesLarge,
  imagesBatch,
  queueEmpty,
  apiImages,
  apiPosts,
  apiComments,
]
