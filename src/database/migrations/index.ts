import type { Migration } from 'kysely/migration'
import type { DatabaseTarget } from '../database.ts'
import { firstLight } from './0001-first-light.ts'
import { leasesAndExpiry } from './0002-leases-and-expiry.ts'
import { unsettledParts } from './0003-unsettled-parts.ts'
import { protocols } from './0004-protocols.ts'
import { renditions } from './0005-renditions.ts'
import { jobTries } from './0006-job-tries.ts'
import { people } from './0007-people.ts'

/** Every migration by its name, in the order of the names. Published ones never change. */
export function migrations(kind: DatabaseTarget['kind']): Record<string, Migration> {
  return {
    '0001-first-light': firstLight(kind),
    '0002-leases-and-expiry': leasesAndExpiry,
    '0003-unsettled-parts': unsettledParts,
    '0004-protocols': protocols,
    '0005-renditions': renditions,
    '0006-job-tries': jobTries,
    '0007-people': people,
  }
}
