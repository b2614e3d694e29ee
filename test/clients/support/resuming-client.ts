/**
 * tus-js-client as a program of its own, which remembers in a file where it uploads to: sends a file,
 * going on where an earlier run was stopped, and prints the URL of the upload.
 *
 * Arguments: the endpoint, the file, the file of URLs, the number of parallel uploads.
 */
import { createReadStream } from 'node:fs'
import { FileUrlStorage, Upload } from 'tus-js-client'
import './tus-client.ts'

const [endpoint = '', path = '', urls = '', parallelUploads] = process.argv.slice(2)
const upload = new Upload(createReadStream(path), {
  endpoint,
  chunkSize: 100_000,
  parallelUploads: Number(parallelUploads),
  urlStorage: new FileUrlStorage(urls),
  removeFingerprintOnSuccess: true,
  metadata: { filename: 'picture.png', filetype: 'image/png' },
  onAfterResponse: (request, response) =>
    console.log(request.getMethod(), response.getStatus(), response.getHeader('Upload-Offset')),
  onSuccess: () => console.log('sent to', upload.url),
  onError(error) {
    throw error
  },
})
const [previous] = await upload.findPreviousUploads()
if (previous) upload.resumeFromPreviousUpload(previous)
upload.start()
