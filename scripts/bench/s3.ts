import { z } from 'zod'
import { type ServerProcess, startServerProcess } from './server-process.ts'

/** The S3 server the contestants store into. */
export interface BenchS3 extends ServerProcess {
  /** What a server needs to use the bucket. */
  readonly env: Readonly<Record<string, string>>
  /** Calls by operation since the last reset, until a time in milliseconds since 1970. */
  counts(until?: number): Promise<Readonly<Record<string, number>>>
  reset(): Promise<void>
  /** Gives the multipart uploads of a key parts that nobody uploaded. */
  seed(multipart: SeededMultipart): Promise<void>
}

export interface SeededMultipart {
  readonly key: string
  readonly parts: number
  readonly partSize: number
}

const counted = z.record(z.string(), z.number())

/** @param latencyMs The least a call takes. */
export async function startS3(latencyMs: number): Promise<BenchS3> {
  const server = await startServerProcess('s3-server/main.ts', () => [String(latencyMs)])
  const call = async (path: string, init?: RequestInit) => {
    const response = await fetch(`${server.url}${path}`, init)
    if (!response.ok) throw new Error(`the S3 server answered ${response.status} to ${path}`)
    return response
  }
  return {
    ...server,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    env: {
      S3_ENDPOINT: server.url,
      S3_BUCKET: 'bench',
      S3_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: 'bench',
      AWS_SECRET_ACCESS_KEY: 'bench-secret',
    },
    async counts(until) {
      const query = until === undefined ? '' : `?until=${until}`
      return counted.parse(await (await call(`/__counts${query}`)).json())
    },
    async reset() {
      await call('/__reset', { method: 'POST' })
    },
    async seed(multipart) {
      await call('/__seed', { method: 'POST', body: JSON.stringify(multipart) })
    },
  }
}

/** All calls together. */
export function totalOf(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0)
}
