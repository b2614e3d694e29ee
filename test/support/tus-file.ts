/** A whole file in one request, as tus allows (creation-with-upload): for tests that send thousands. */
import { tusHeaders } from './tus-requests.ts'
import { idOf } from './upload.ts'

export interface FileToSend {
  readonly filename?: string
  readonly contentType?: string | undefined
}

/** Returns the upload's id. @throws when the file is not taken. */
export async function sendFile(
  server: string,
  bytes: Buffer,
  { filename = 'file', contentType }: FileToSend = {},
): Promise<string> {
  const base64 = (text: string) => Buffer.from(text).toString('base64')
  const metadata = [`filename ${base64(filename)}`]
  if (contentType !== undefined) metadata.push(`filetype ${base64(contentType)}`)
  const response = await fetch(`${server}/files`, {
    method: 'POST',
    headers: {
      ...tusHeaders,
      'Content-Type': 'application/offset+octet-stream',
      'Upload-Length': String(bytes.length),
      'Upload-Metadata': metadata.join(','),
    },
    body: new Uint8Array(bytes),
  })
  const offset = response.headers.get('Upload-Offset')
  if (response.status !== 201 || Number(offset ?? 0) !== bytes.length) {
    throw new Error(`${filename} was answered ${response.status} at ${offset}`)
  }
  return idOf(new URL(response.headers.get('Location') ?? '', server).href)
}
