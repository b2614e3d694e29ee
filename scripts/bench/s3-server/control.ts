/** How the bench asks and steers: paths that no bucket has. */
import { z } from 'zod'
import type { Answer } from './answer.ts'
import { takeBody } from './body.ts'
import type { Objects } from './objects.ts'
import type { OperationName } from './operation.ts'
import type { WireRequest } from './wire.ts'

const seed = z.object({
  key: z.string(),
  parts: z.int().positive(),
  partSize: z.int().positive(),
})

const maxBody = 64 * 1024

/** When which operation was called, on the clock all processes of a machine share. */
export class CallLog {
  #calls: { readonly operation: OperationName; readonly at: number }[] = []

  add(operation: OperationName): void {
    this.#calls.push({ operation, at: performance.timeOrigin + performance.now() })
  }

  /** Calls by operation, up to a time in milliseconds since 1970. */
  counts(until = Number.POSITIVE_INFINITY): Record<string, number> {
    const counts: Record<string, number> = {}
    for (const { operation, at } of this.#calls) {
      if (at <= until) counts[operation] = (counts[operation] ?? 0) + 1
    }
    return counts
  }

  clear(): void {
    this.#calls = []
  }
}

/**
 * `GET /__counts[?until=ms]` tells the calls by operation, `POST /__reset` forgets them, and
 * `POST /__seed` makes parts out of nothing.
 */
export async function control(
  request: WireRequest,
  log: CallLog,
  objects: Objects,
): Promise<Answer> {
  const { pathname, searchParams } = new URL(request.url, 'http://s3')
  switch (pathname) {
    case '/__counts': {
      const until = searchParams.get('until')
      const body = JSON.stringify(log.counts(until === null ? undefined : Number(until)))
      return { status: 200, headers: { 'Content-Type': 'application/json' }, body }
    }
    case '/__reset':
      log.clear()
      return { status: 204 }
    case '/__seed': {
      const { bytes } = await takeBody(request, maxBody)
      addParts(objects, seed.parse(JSON.parse(bytes?.toString() ?? '')))
      return { status: 204 }
    }
    default:
      return { status: 404 }
  }
}

function addParts(objects: Objects, { key, parts, partSize }: z.infer<typeof seed>): void {
  for (const multipart of objects.multiparts.values()) {
    if (multipart.key !== key) continue
    for (let number = 1; number <= parts; number += 1) {
      multipart.parts.set(number, { size: partSize, etag: `"c-seed-${number}"` })
    }
  }
}
