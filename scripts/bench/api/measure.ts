import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { SignJWT } from 'jose'
import { z } from 'zod'
import { Child } from '../../../test/support/child.ts'
import { startProgram } from '../../../test/support/program.ts'
import { type Metered, meter } from '../meter.ts'
import { databaseFile, seededDirectory } from '../seed/cached.ts'
import { removeNewComments } from '../seed/undo.ts'
import type { Load } from './load.ts'

/** Node has compiled what matters by then. */
const warmUpSeconds = 3
const measuredSeconds = 10

export type Stream = Load['streams'][number]

/** What one stream of requests was given. */
export interface Answers {
  readonly requests: number
  readonly perSecond: number
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
}

export interface Measured extends Metered {
  /** In the order of what was asked. */
  readonly streams: readonly Answers[]
}

export interface MeasureOptions {
  /** Of the seeded database. */
  readonly count: number
  /** Whether the server asks who it is. */
  readonly auth: boolean
  readonly streams: readonly Stream[]
}

/** Starts the program on a seeded database, and asks it as often as it answers for ten seconds. */
export async function measureApi({ count, auth, streams }: MeasureOptions): Promise<Measured> {
  const dataDir = await seededDirectory(count)
  removeNewComments(dataDir, count)
  await readOnce(join(dataDir, databaseFile))
  const secret = 'a secret of the bench, of at least 32 bytes'
  await using resources = new AsyncDisposableStack()
  const program = resources.use(
    await startProgram({ dataDir, env: auth ? { AUTH_JWT_SECRET: secret } : { AUTH: 'off' } }),
  )
  resources.defer(async () => void (await program.stop()))
  const load = { url: program.url, count, streams, ...(auth && { token: await tokenOf(secret) }) }
  await put({ ...load, seconds: warmUpSeconds })
  let result: z.infer<typeof resultSchema> | undefined
  const metered = await meter(program, async () => {
    result = await put({ ...load, seconds: measuredSeconds })
  })
  const { cpuSeconds = Number.NaN, streams: answers = [] } = result ?? {}
  const client = cpuSeconds / metered.seconds
  const { server, s3, others } = metered.busy
  return { ...metered, streams: answers, busy: { server, s3, client, others: others - client } }
}

/** So that it is in memory: what is measured is not the machine's disk. */
async function readOnce(file: string): Promise<void> {
  for await (const _ of createReadStream(file, { highWaterMark: 2 ** 20 }));
}

const resultSchema = z.object({
  streams: z.array(
    z.object({ requests: z.number(), perSecond: z.number(), p50: z.number(), p99: z.number() }),
  ),
  cpuSeconds: z.number(),
})

async function put(load: Load): Promise<z.infer<typeof resultSchema>> {
  await using child = new Child({
    args: [join(import.meta.dirname, 'load.ts'), JSON.stringify(load)],
    env: { PATH: process.env.PATH ?? '' },
  })
  const { code } = await child.exited
  if (code !== 0) throw new Error(`the server was not measured:\n${child.stderr}`)
  return resultSchema.parse(JSON.parse(child.stdout))
}

/** Of a user who has nothing of what is asked for, and sees it since it was posted. */
function tokenOf(secret: string): Promise<string> {
  return new SignJWT({})
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject('bench')
    .setIssuedAt()
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode(secret))
}
