import { afterEach, beforeEach, describe } from 'vitest'
import { databaseTargets, type TestDatabase } from '../support/databases.ts'
import { QueueBench } from '../support/queues.ts'
import { administrationSuite } from './queue/administration-suite.ts'
import { databaseSuite } from './queue/database-suite.ts'
import { enqueueSuite } from './queue/enqueue-suite.ts'
import { leaseSuite } from './queue/lease-suite.ts'
import { outcomeSuite } from './queue/outcome-suite.ts'
import { storeSuite } from './queue/store-suite.ts'

describe.each(databaseTargets)('the queue on $name', (target) => {
  let opened: TestDatabase
  let current: QueueBench
  const bench = () => current

  beforeEach(async () => {
    opened = await target.create()
    current = await QueueBench.open(opened.database)
  })
  afterEach(async () => {
    await current.stop()
    await opened.cleanup()
  })

  describe('adding and order', () => enqueueSuite(bench))
  describe('success, failure and stopping', () => outcomeSuite(bench))
  describe('leases', () => leaseSuite(bench))
  describe('what is written down', () => storeSuite(bench))
  describe('administration', () => administrationSuite(bench))
  describe('the database under it', () => databaseSuite(bench))
})
