import { AppError } from '../../errors.ts'
import { badHeader } from '../errors.ts'
import type { Answer } from '../protocol/answer.ts'
import type { DialectDependencies } from '../protocol/context.ts'
import type { UploadRequest } from '../protocol/request.ts'
import { completenessOf } from './completeness.ts'
import { readExtent } from './create.ts'
import { readContentDigest } from './digests.ts'
import { readInteger } from './fields.ts'
import { InterimAnswers } from './interim.ts'
import type { InteropVersion } from './versions.ts'

/** Upload Append: a PATCH at the upload. One without content may complete it. */
export function appendMethod({ append, locations }: DialectDependencies) {
  return async (request: UploadRequest, version: InteropVersion, id: string): Promise<Answer> => {
    const { contentType, failsBeyondLength } = version
    if (contentType !== undefined && request.contentType !== contentType) {
      throw new AppError('bad-content-type', 415, `Content-Type has to be ${contentType}.`)
    }
    const from = readInteger(request, 'Upload-Offset')
    if (from === undefined) throw badHeader('Upload-Offset is required: an Integer.')
    const { isComplete, length, ending } = readExtent(request, version, from)
    const interim = new InterimAnswers(request, version)
    const onProgress = (offset: number) => interim.progress(offset)
    const received = await append(
      { id, reach: request.visitor.reach, from, length, ending, failsBeyondLength, onProgress },
      request.bytes(readContentDigest(request)),
      request.gone,
    )
    // To say once more that it is complete is no error: the answer may have been lost.
    if (received.isRepeated && !(isComplete && version.repeatsFinal)) throw uploadIsComplete()
    return {
      status: isComplete ? 201 : version.appended,
      headers: {
        ...completenessOf(version, isComplete),
        'Upload-Offset': String(received.offset),
        ...(isComplete && { Location: locations.of(request, id) }),
        ...(received.reprDigest && { 'Repr-Digest': received.reprDigest }),
      },
    }
  }
}

export function uploadIsComplete(): AppError {
  return new AppError('upload-complete', 400, 'The upload is complete; it takes no more bytes.')
}
