import type { UploadRequest } from '../protocol/request.ts'
import type { InteropVersion } from './versions.ts'

/** Time between two answers about progress, in milliseconds. */
const progressEvery = 250

/**
 * Interim answers 104 (Upload Resumption Supported). They go only to clients that name a version of
 * the draft: others would not know what they are.
 */
export class InterimAnswers {
  readonly #request: UploadRequest
  readonly #version: InteropVersion
  #next = 0

  constructor(request: UploadRequest, version: InteropVersion) {
    this.#request = request
    this.#version = version
  }

  send(headers: Readonly<Record<string, string>>): void {
    const { interop } = this.#version
    const { incoming, outgoing } = this.#request
    const isPossible = incoming.httpVersionMajor > 1 || incoming.httpVersionMinor > 0
    if (interop === undefined || !isPossible || outgoing.headersSent || outgoing.destroyed) return
    outgoing.writeInformation(104, {
      ...headers,
      'Upload-Draft-Interop-Version': String(interop),
    })
  }

  /** So many bytes are safe. */
  progress(offset: number): void {
    const now = performance.now()
    if (!this.#version.tellsProgress || now < this.#next) return
    this.#next = now + progressEvery
    this.send({ 'Upload-Offset': String(offset) })
  }
}
