/** What a client, and the storage, do with an upload link. */
import type { UploadLinkView } from './story.ts'

/** Sends the bytes where the link says, as it says. Returns the status. */
export async function putByLink(
  server: { readonly url: string },
  { method, url, headers }: UploadLinkView,
  bytes: Buffer,
): Promise<number> {
  const body = new Uint8Array(bytes)
  const response = await fetch(new URL(url, server.url), { method, headers, body })
  await response.body?.cancel()
  return response.status
}

/** What S3 posts when an object was put: here by a link, whose URL names bucket and key. */
export function s3Notification({ url }: UploadLinkView, size: number): unknown {
  const [, bucket = '', ...key] = new URL(url).pathname.split('/')
  return {
    Records: [
      {
        eventVersion: '2.1',
        eventSource: 'aws:s3',
        eventName: 'ObjectCreated:Put',
        s3: {
          bucket: { name: decodeURIComponent(bucket) },
          object: { key: key.join('/'), size },
        },
      },
    ],
  }
}
