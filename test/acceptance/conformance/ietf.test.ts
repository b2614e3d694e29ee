import type { Row } from '../../../scripts/conformance/engine/row.ts'
import { tables } from '../../../scripts/conformance/tables/index.ts'
import { conformance } from './conformance.ts'

conformance({
  tables: tables.filter(({ interop }) => interop !== undefined),
  rows: ({ needs = [] }: Row) => !needs.includes('short-lived'),
  settings: { MAX_UPLOAD_SIZE: '32MiB' },
})
