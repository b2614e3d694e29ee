/**
 * `main.ts [latency]`: an S3 server to measure against, in a process of its own. It takes what is
 * stored, counts the calls and throws large bodies away; it checks checksums, but no signatures.
 * Every call takes at least `latency` milliseconds.
 */
import { createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { announce } from '../announce.ts'
import { type Answer, S3Error } from './answer.ts'
import { CallLog, control } from './control.ts'
import * as multiparts from './multipart-calls.ts'
import * as single from './object-calls.ts'
import { Objects } from './objects.ts'
import { type Call, type OperationName, readCall } from './operation.ts'
import { serveConnection, type WireRequest } from './wire.ts'

type Handler = (objects: Objects, call: Call) => Answer | Promise<Answer>

const ok = { status: 200 }
const handlers: Readonly<Record<OperationName, Handler>> = {
  AbortMultipartUpload: multiparts.abortMultipart,
  CompleteMultipartUpload: multiparts.completeMultipart,
  CreateMultipartUpload: multiparts.createMultipart,
  DeleteObject: single.deleteObject,
  DeleteObjects: single.deleteObjects,
  GetObject: single.getObject,
  HeadBucket: () => ok,
  HeadObject: single.headObject,
  ListMultipartUploads: multiparts.listMultiparts,
  ListParts: multiparts.listParts,
  PutObject: single.putObject,
  PutObjectTagging: () => ok,
  UploadPart: multiparts.uploadPart,
}

const latencyMs = Number(process.argv[2] ?? 0)
const objects = new Objects()
const log = new CallLog()

announce(createServer((socket) => serveConnection(socket, serve)))

async function serve(request: WireRequest): Promise<Answer> {
  if (request.url.startsWith('/__')) return control(request, log, objects)
  try {
    const call = readCall(request)
    if (!call) throw new S3Error(501, 'NotImplemented', 'This server does not know the call')
    log.add(call.operation)
    const [answer] = await Promise.all([
      handlers[call.operation](objects, call),
      latencyMs > 0 && delay(latencyMs),
    ])
    return answer
  } catch (error) {
    if (error instanceof S3Error) return error.toAnswer()
    throw error
  }
}
