/**
 * The tables as Kysely sees them, the same on SQLite and PostgreSQL. Times are milliseconds since
 * 1970 in UTC, sizes are bytes, JSON is text that its reader parses and checks.
 */
import type { Generated, Insertable, Selectable } from 'kysely'

export type UploadState = 'receiving' | 'assembling' | 'stored' | 'failed' | 'expired'
export type ImageState = 'processing' | 'ready' | 'failed'
export type JobState = 'queued' | 'active' | 'done' | 'dead'

export interface UploadsTable {
  id: string
  owner: string
  dialect: string
  /** Total bytes; null while the client has not said (deferred). */
  length: number | null
  /** Bytes durable in storage, contiguous from zero. */
  offset: number
  metadata: string | null
  filename: string | null
  content_type: string | null
  state: UploadState
  /** Why a failed upload failed, in words for its owner. */
  failure: string | null
  /** The open S3 multipart upload, if there is one. */
  multipart_id: string | null
  /** How many parts after the last nobody may have heard what became of, and their bytes each. */
  unsettled_parts: Generated<number>
  unsettled_part_size: number | null
  /** The object that holds acknowledged bytes after the last part. */
  tail_key: string | null
  tail_size: number
  /** Null where there is no tail, and for tails from before it was kept. */
  tail_crc32: number | null
  /** Which keys tails are written to, and whether (1) a write to one was not heard of again. */
  tail_epoch: Generated<number>
  tail_unsettled: Generated<number>
  /** Where a request put bytes aside that were to be verified, and how many pieces at most. */
  staged_token: string | null
  staged_count: Generated<number>
  /** `Upload-Concat` as it was sent. */
  concat: string | null
  /** Of a final upload: the ids of those it is made of, in order, as a JSON array. */
  sources: string | null
  /** Of a partial upload: the final one that it is a part of. */
  final_id: string | null
  /** `Repr-Digest` and `Want-Repr-Digest` as they were sent when it was begun. */
  repr_digest: string | null
  want_repr_digest: string | null
  sha256: string | null
  /** The process that may write to the upload, and the token its writes are checked by. */
  lease_holder: string | null
  lease_token: string | null
  lease_until: number | null
  /** 1 when somebody else waits for the lease. */
  lease_wanted: Generated<number>
  /** When an unfinished upload or a partial one is given up, and when the memory of one goes. */
  expires_at: number | null
  /** Of an upload by link: when storage is to be asked next whether its bytes have come. */
  link_check_at: number | null
  /** Of one whose bytes go straight to storage: until when a client may begin to send them there. */
  incoming_until: number | null
  created_at: number
  updated_at: number
  stored_at: number | null
}

export interface UploadPartsTable {
  upload_id: string
  number: number
  size: number
  etag: string
}

export interface ImagesTable {
  id: string
  owner: string
  state: ImageState
  error_code: string | null
  error_message: string | null
  filename: string | null
  content_type: string | null
  format: string | null
  size: number
  width: number | null
  height: number | null
  sha256: string | null
  thumbhash: string | null
  color: string | null
  exif: string | null
  /** Counted up with each change of the image or of its renditions, whoever makes it. */
  revision: Generated<number>
  created_at: number
  finished_at: number | null
}

export interface RenditionsTable {
  image_id: string
  preset: string
  format: string
  content_type: string
  width: number
  height: number
  size: number
  storage_key: string
  etag: string
  /** 1 for a still. */
  frames: Generated<number>
  /** How often it was made anew, counted from 1. */
  revision: Generated<number>
  /** Of what was asked for; null in those from before it was kept. */
  fingerprint: string | null
}

/** The objects there are, or may be, for renditions: named before storage is called. */
export interface RenditionObjectsTable {
  storage_key: string
  /** The image whose conversion writes it. Others with the same bytes may use it as well. */
  image_id: string
  /** What it is to be; null in those from before that was kept. */
  preset: string | null
  format: string | null
  fingerprint: string | null
}

/** The jobs of SQLite; with PostgreSQL they are pg-boss's, but for those of an older release. */
export interface JobsTable {
  id: string
  kind: string
  payload: string
  dedupe_key: string | null
  priority: number
  state: JobState
  /** Counted when the job is claimed, so that a job that kills its process still runs out of them. */
  attempts: number
  max_attempts: number
  /** How often the process that ran it went away. */
  losses: Generated<number>
  run_at: number
  /** The process that has the job, or had it last, and since when. */
  lease_holder: string | null
  started_at: number | null
  lease_token: string | null
  lease_until: number | null
  last_error: string | null
  /** How earlier attempts ended, as JSON. */
  tries: string | null
  created_at: number
  finished_at: number | null
}

export interface EventsTable {
  position: Generated<number>
  id: string
  type: string
  /** The upload, image or post the event is about. */
  subject: string
  payload: string
  created_at: number
}

/** Each has one image; its comments go some time after it. */
export interface PostsTable {
  id: string
  owner: string
  image_id: string
  caption: string
  comment_count: Generated<number>
  /** Counted up with each comment that comes or goes. */
  revision: Generated<number>
  created_at: number
}

export interface CommentsTable {
  id: string
  post_id: string
  owner: string
  text: string
  created_at: number
}

export interface ProfilesTable {
  owner: string
  avatar_image_id: string | null
  updated_at: number
}

/**
 * Bytes of stored uploads by owner: the sum over the shards, of which each change takes one. Those
 * that others are made of do not count.
 */
export interface UsageTable {
  owner: string
  shard: number
  bytes: number
}

/** How fast somebody begins uploads. */
export interface UploadRatesTable {
  owner: string
  /** When all that is allowed at once will be allowed again, in microseconds since 1970. */
  full_at: number
}

export interface IdempotencyKeysTable {
  owner: string
  key: string
  /** What was asked for under the key, as far as that can be told before its bytes are read. */
  request: string
  upload_id: string
  created_at: number
}

/** Drawn at the first start and the same in all processes. */
export interface SecretsTable {
  name: string
  value: string
  created_at: number
}

export interface Schema {
  uploads: UploadsTable
  upload_parts: UploadPartsTable
  images: ImagesTable
  renditions: RenditionsTable
  rendition_objects: RenditionObjectsTable
  jobs: JobsTable
  events: EventsTable
  posts: PostsTable
  comments: CommentsTable
  profiles: ProfilesTable
  usage: UsageTable
  upload_rates: UploadRatesTable
  idempotency_keys: IdempotencyKeysTable
  secrets: SecretsTable
}

export type UploadRow = Selectable<UploadsTable>
export type NewUploadRow = Insertable<UploadsTable>
export type ImageRow = Selectable<ImagesTable>
export type RenditionRow = Selectable<RenditionsTable>
export type JobRow = Selectable<JobsTable>
