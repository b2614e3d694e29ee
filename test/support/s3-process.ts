/**
 * Runs an S3 service in memory, prints its URL, and ends with the process that started it.
 *
 * Argument: the id of that process.
 */
import { buildApp } from 'fauxqs'

const lookMs = 1_000
const parent = Number(process.argv[2])

setInterval(() => {
  if (process.ppid !== parent) process.exit()
}, lookMs).unref()
const app = buildApp({ logger: false })
console.log(await app.listen({ host: '127.0.0.1', port: 0 }))
