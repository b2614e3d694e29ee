import type { Row } from '../../../scripts/conformance/engine/row.ts'
import { tables } from '../../../scripts/conformance/tables/index.ts'
import { conformance } from './conformance.ts'

// The rows that wait for uploads to expire, against a program whose uploads do so soon.
conformance({
  tables,
  rows: ({ needs = [] }: Row) => needs.includes('short-lived'),
  settings: { UPLOAD_EXPIRES_IN: '3s' },
})
