import { expect, it } from 'vitest'
import { retryPolicies } from '../../../src/queue/kinds.ts'
import { renameJobs } from '../../support/queue-rows.ts'
import type { QueueBench } from '../../support/queues.ts'
import { countStatements, isClaim } from '../../support/statements.ts'
import { waitFor } from '../../support/wait.ts'

/** What a queue asks of its database, and how it bears that it is away. */
export function databaseSuite(bench: () => QueueBench): void {
  it('asks little while it is idle: at its polls only', async () => {
    const pollMs = 20
    const counted = countStatements(bench().database)
    const queue = await bench().create({
      database: counted.database,
      pollMs,
      leaseMs: 3_600_000,
    })
    queue.handle({ kind: 'image.convert', run: async () => {} })
    queue.handle({ kind: 'storage.remove', run: async () => {} })
    const prepared = counted.statements.length
    const startedAt = performance.now()
    await queue.start()
    const asked = () => counted.statements.slice(prepared)
    await waitFor(() => asked().filter(isClaim).length >= 20, { intervalMs: 5 })
    const polls = Math.ceil((performance.now() - startedAt) / (pollMs - 1)) + 1
    expect(asked().filter(isClaim).length).toBeLessThanOrEqual(polls * 2)
    const others = asked().filter((statement) => !isClaim(statement))
    // One look for each kind at what is to be forgotten, and few others.
    expect(others.length).toBeLessThanOrEqual(Object.keys(retryPolicies).length + 4)
  })

  it('goes on when the database was away for a while', async () => {
    const { database } = bench()
    const gate = Promise.withResolvers<void>()
    const queue = await bench().create({ pollMs: 50 })
    queue.handle({ kind: 'image.convert', run: () => gate.promise })
    await bench().addImage(queue, 'running')
    await queue.start()
    await bench().jobIn('active')
    await renameJobs(database, 'elsewhere')
    gate.resolve()
    const troubles = () =>
      new Set(
        bench()
          .reportsOf('trouble')
          .map(({ doing }) => doing),
      )
    await waitFor(() => troubles().has('claim') && troubles().has('acknowledge'))
    await renameJobs(database, 'back')
    await bench().addImage(queue, 'next')
    await waitFor(() => bench().reportsOf('done').length === 2)
  })
}
