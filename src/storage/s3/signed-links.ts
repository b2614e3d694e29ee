import { GetObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import type { SignedLinks } from '../contract.ts'
import { storageUnavailable } from '../errors.ts'

/**
 * Links to objects of a bucket, signed in the query (Signature Version 4). They name the endpoint
 * that this program uses itself, so clients must be able to reach it by that name. Nothing is asked
 * of the service; with temporary credentials a link ends at the latest when they do.
 */
export function createSignedLinks(client: S3Client, bucket: string, prefix: string): SignedLinks {
  return {
    async signLink(key, { contentType, contentDisposition, cacheControl, seconds }) {
      const get = new GetObjectCommand({
        Bucket: bucket,
        Key: `${prefix}${key}`,
        ResponseContentType: contentType,
        ResponseContentDisposition: contentDisposition,
        ResponseCacheControl: cacheControl,
      })
      try {
        return await getSignedUrl(client, get, { expiresIn: seconds })
      } catch (error) {
        throw storageUnavailable(error)
      }
    },
  }
}
