import type { Queries } from '../../database/database.ts'
import type { Locations } from '../protocol/location.ts'
import type { RemoveUpload } from '../remove.ts'
import type { Append } from '../requests/append.ts'
import type { Begin } from '../requests/begin.ts'
import type { Concatenate } from '../requests/concatenate.ts'
import type { Look } from '../requests/look.ts'

/** What a client can ask for, whatever it speaks. */
export interface UploadRequests {
  readonly begin: Begin
  readonly append: Append
  readonly look: Look
  readonly concatenate: Concatenate
  readonly remove: RemoveUpload
}

export interface DialectDependencies extends UploadRequests {
  readonly queries: Queries
  readonly locations: Locations
  readonly maxSize: number
}
