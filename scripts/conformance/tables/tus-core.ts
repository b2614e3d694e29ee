/** tus 1.0.0, "Core Protocol". */
import { must, should } from '../engine/row.ts'
import { headRows } from './tus-core-head.ts'
import { overrideRows } from './tus-core-override.ts'
import { brokenRows, patchRows } from './tus-core-patch.ts'
import { optionsRows, versionRows } from './tus-core-version.ts'
import { tusTable } from './tus-steps.ts'

export const tusCore = tusTable(
  'tus-core',
  ['creation'],
  [...headRows, ...patchRows, ...brokenRows, ...versionRows, ...optionsRows, ...overrideRows],
  [
    {
      from: must('Core/Tus-Version'),
      says: 'The versions are in the order that the server prefers.',
      unobservable: 'what a server prefers is known to it alone',
    },
    {
      from: should('Core/Tus-Max-Size'),
      says: 'The maximal size is told when there is one.',
      unobservable: 'whether there is one is known to the server alone',
    },
    {
      from: should('Core/PATCH'),
      says: 'A timeout is handled by closing the connection.',
      unobservable: 'how long a server waits for a silent client is its own choice',
    },
  ],
)
