import { crc32 } from 'node:zlib'
import { ChunkedPayload } from './chunked-payload.ts'
import type { WireRequest } from './wire.ts'

export interface TakenBody {
  readonly size: number
  /** As S3 writes it: the four bytes, in base64. */
  readonly crc32: string
  /** The checksum that was sent along, in a header or behind the bytes. */
  readonly sentCrc32: string | undefined
  /** Undefined when there were more of them than are kept. */
  readonly bytes: Buffer | undefined
}

const checksumName = 'x-amz-checksum-crc32'

/** Reads a body to its end, and keeps its bytes unless they are more than `keep`. */
export async function takeBody(request: WireRequest, keep: number): Promise<TakenBody> {
  const kept: Buffer[] = []
  let size = 0
  let checksum = 0
  const take = (bytes: Buffer) => {
    size += bytes.length
    checksum = crc32(bytes, checksum)
    if (size <= keep) kept.push(bytes)
    else kept.length = 0
  }
  // What the AWS SDK makes of a body that is a stream.
  const isChunked = request.headers.get('content-encoding')?.includes('aws-chunked')
  const payload = isChunked ? new ChunkedPayload(take) : undefined
  request.take = payload ? (bytes) => void payload.write(bytes) : take
  await request.ended
  return {
    size,
    crc32: formatCrc32(checksum),
    sentCrc32: request.headers.get(checksumName) ?? payload?.trailer(checksumName),
    bytes: size <= keep ? Buffer.concat(kept) : undefined,
  }
}

function formatCrc32(checksum: number): string {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeUInt32BE(checksum)
  return bytes.toString('base64')
}
