/** All tables, in the order in which they are printed. */
import type { Table } from '../engine/row.ts'
import { bothProtocols } from './both-protocols.ts'
import { ietfAppend } from './ietf-append.ts'
import { ietfCancellation } from './ietf-cancellation.ts'
import { ietfConcurrency } from './ietf-concurrency.ts'
import { ietfCreation } from './ietf-creation.ts'
import { ietfDigests } from './ietf-digests.ts'
import { ietfLimits } from './ietf-limits.ts'
import { ietfOffset } from './ietf-offset.ts'
import { tusChecksum } from './tus-checksum.ts'
import { tusChecksumTrailer } from './tus-checksum-trailer.ts'
import { tusConcatenation } from './tus-concatenation.ts'
import { tusCore } from './tus-core.ts'
import { tusCors } from './tus-cors.ts'
import { tusCreation } from './tus-creation.ts'
import { tusCreationDeferLength } from './tus-creation-defer-length.ts'
import { tusCreationWithUpload } from './tus-creation-with-upload.ts'
import { tusExpiration } from './tus-expiration.ts'
import { tusTermination } from './tus-termination.ts'

export const tables: readonly Table[] = [
  tusCore,
  tusCreation,
  tusCreationWithUpload,
  tusCreationDeferLength,
  tusExpiration,
  tusChecksum,
  tusChecksumTrailer,
  tusTermination,
  tusConcatenation,
  tusCors,
  ...ietfCreation,
  ...ietfOffset,
  ...ietfAppend,
  ...ietfCancellation,
  ...ietfLimits,
  ...ietfDigests,
  ...ietfConcurrency,
  bothProtocols,
]
