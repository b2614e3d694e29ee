import type { Readable } from 'node:stream'

/**
 * The requests that are writing to uploads right now, so that others can wait until one has let go
 * and stopping can end them without losing what they received.
 */
export interface Writers {
  /** Runs a write; `body` ends early, without an error, once the program stops. */
  run<T>(
    id: string,
    stream: Readable,
    write: (body: AsyncIterable<Buffer>) => Promise<T>,
  ): Promise<T>
  /** Resolves when no write for this upload is under way: what it received is recorded. */
  settled(id: string): Promise<void>
  /** Ends all writes and resolves when they have recorded what they received. */
  drain(): Promise<void>
}

export function createWriters(): Writers {
  const running = new Map<string, Promise<unknown>>()
  const stopping = new AbortController()

  return {
    async run(id, stream, write) {
      const work = write(untilStopped(stream, stopping.signal))
      const settled = work.catch(() => {})
      running.set(id, settled)
      try {
        return await work
      } finally {
        if (running.get(id) === settled) running.delete(id)
      }
    },
    async settled(id) {
      await running.get(id)
    },
    async drain() {
      stopping.abort()
      await Promise.all(running.values())
    },
  }
}

async function* untilStopped(stream: Readable, signal: AbortSignal): AsyncGenerator<Buffer> {
  const end = () => stream.destroy()
  signal.addEventListener('abort', end, { once: true })
  try {
    if (signal.aborted) return
    for await (const chunk of stream) yield chunk
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    signal.removeEventListener('abort', end)
  }
}
