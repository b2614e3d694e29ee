import type { ClientRequest } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { createUpload, openPatch, someBytes } from './tus-client.ts'

export interface HalfOpen {
  readonly count: number
  /** Bytes of each that are sent at once. */
  readonly sent: number
  /** Whether each sends another byte every second, so that nobody can take it for dead. */
  readonly trickles: boolean
}

const declaredSize = 32 * 2 ** 20
/** A server may leave bytes unread: they are not waited for any longer. */
const patienceMs = 5_000

/** Uploads that were begun and do not end until they are disposed of. */
export async function openHalfway(filesUrl: string, options: HalfOpen): Promise<Disposable> {
  const requests: ClientRequest[] = []
  const bytes = someBytes(options.sent)
  const written = Array.from({ length: options.count }, async () => {
    const request = openPatch(await createUpload(filesUrl, declaredSize), declaredSize)
    requests.push(request)
    await new Promise<void>((resolve) => request.write(bytes, () => resolve()))
  })
  const patience = new AbortController()
  await Promise.race([
    Promise.all(written),
    delay(patienceMs, undefined, { signal: patience.signal }).catch(() => {}),
  ])
  patience.abort()
  const trickle = setInterval(() => {
    if (options.trickles) for (const request of requests) request.write(bytes.subarray(0, 1))
  }, 1_000)
  return {
    [Symbol.dispose]() {
      clearInterval(trickle)
      for (const request of requests) request.destroy()
    },
  }
}
