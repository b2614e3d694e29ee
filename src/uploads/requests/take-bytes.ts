import type { Database } from '../../database/database.ts'
import type { UploadPosition } from '../../storage/contract.ts'
import { RequestBody } from '../body.ts'
import { declareComplete } from '../declare.ts'
import { inconsistentLength } from '../errors.ts'
import type { Finish } from '../finish.ts'
import type { Lease } from '../held-lease.ts'
import type { Receive, Received } from '../receive.ts'
import type { DigestWishes, Upload } from '../upload.ts'
import { excess, type Incoming } from './incoming.ts'

/**
 * When an upload is complete: with its last byte (tus), with the proper end of this request, or not
 * before another request says so.
 */
export type Ending = 'last-byte' | 'end-of-request' | 'later'

export interface TakeBytesDependencies {
  readonly database: Database
  readonly receive: Receive
  readonly finish: Finish
}

export interface Taking {
  readonly upload: Pick<Upload, 'length' | 'offset'> & {
    readonly digests?: DigestWishes | undefined
  }
  /** Bytes the upload may have at most. */
  readonly limit: number
  readonly ending: Ending
  /** Where the upload stands, if that is known: right after its creation. */
  readonly start?: UploadPosition
  readonly onProgress?: ((offset: number) => void) | undefined
}

export type TakeBytes = (lease: Lease, incoming: Incoming, taking: Taking) => Promise<Received>

/** Takes what a request brings to an upload, and completes the upload if that is what it is for. */
export function createTakeBytes({ database, receive, finish }: TakeBytesDependencies): TakeBytes {
  return async (lease, incoming, { upload, limit, ending, start, onProgress }) => {
    const { verification } = incoming
    const room = Math.min(upload.length ?? Infinity, limit) - upload.offset
    const body = new RequestBody(incoming.stream, {
      until: lease.letGo,
      limit: room,
      excess: excess(upload.length, limit),
    })
    const received = await receive(lease, verification ? verification.watch(body) : body, {
      start,
      completes: ending === 'last-byte',
      inOnePiece: !upload.digests?.expected && !upload.digests?.wanted,
      onProgress,
      // A request that is told to let go has not come to its end, whatever has arrived of it.
      verify: verification && (() => (body.ended ? verification.verify() : cutOff(lease))),
    })
    if (received.stored || !body.ended) {
      if (!received.stored) lease.letGo.throwIfAborted()
      return received
    }
    const isComplete = ending === 'last-byte' && received.offset === upload.length
    if (ending !== 'end-of-request' && !isComplete) return received
    return { ...received, ...(await complete(lease, received.offset, upload.length)) }
  }

  /** For what is complete though this request brought no last byte of a known length. */
  async function complete(lease: Lease, offset: number, length = offset) {
    if (offset !== length) throw inconsistentLength()
    await database.transaction((trx) => declareComplete(trx, lease, offset))
    const { digests } = await finish.assemble(lease)
    return { stored: true, reprDigest: digests.expected }
  }
}

function cutOff({ letGo }: Lease): never {
  letGo.throwIfAborted()
  throw new Error('the body did not come to its end')
}
