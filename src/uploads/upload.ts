import type { UploadRow, UploadState } from '../database/schema.ts'

/**
 * An upload as the ledger has it.
 *
 * ```
 * receiving ──last byte──▶ assembling ──object exists──▶ stored
 *     │ │                      │                           ▲
 *     │ │                      └──bytes lost──▶ failed     │
 *     │ └──all of it stored in one piece───────────────────┘
 *     ├──bytes lost in storage──▶ failed
 *     └──not continued in time──▶ expired ──after a while──▶ forgotten
 * ```
 */
export interface Upload {
  readonly id: string
  readonly owner: string
  /** The protocol it was created with. */
  readonly dialect: string
  /** Total bytes; undefined while the client has not said. */
  readonly length: number | undefined
  /** Bytes durable in storage, contiguous from zero. */
  readonly offset: number
  /** `Upload-Metadata` as it was sent. */
  readonly metadata: string | undefined
  /** What the client calls it. Never trusted, never part of a path. */
  readonly filename: string | undefined
  /** What the client says it is. */
  readonly contentType: string | undefined
  readonly state: UploadState
  /** Why it failed, in words for its owner. */
  readonly failure: string | undefined
  readonly sha256: string | undefined
  /** What it is in a concatenation, if it is in any. */
  readonly concat: Concat | undefined
  /** Digests that its content must have, and that its client wants to hear (RFC 9530). */
  readonly digests: DigestWishes
  /** Milliseconds since 1970. */
  readonly createdAt: number
  /** When it is given up unless it is continued; undefined once it is whole. */
  readonly expiresAt: number | undefined
  readonly storedAt: number | undefined
  /** Of an upload by a link to storage: until when its client may begin to send bytes there. */
  readonly incomingUntil: number | undefined
  /** Who may write to it at present, if anybody. */
  readonly lease: LeaseRecord | undefined
}

/** Its part in a concatenation of uploads (tus: Concatenation). */
export type Concat =
  | {
      readonly role: 'partial'
      /** The upload it is a part of, once there is one. */
      readonly finalId: string | undefined
    }
  | {
      readonly role: 'final'
      /** `Upload-Concat` as it was sent. */
      readonly header: string
      /** The ids of the uploads it is made of, in order; one may be among them twice. */
      readonly sources: readonly string[]
    }

/** `Repr-Digest` and `Want-Repr-Digest` as they were sent. */
export interface DigestWishes {
  readonly expected: string | undefined
  readonly wanted: string | undefined
}

/** A lease as the ledger has it; it may have run out. */
export interface LeaseRecord {
  /** The process that has it. */
  readonly holder: string
  readonly token: string
  /** Milliseconds since 1970. */
  readonly until: number
}

export type NewUpload = Pick<
  Upload,
  'id' | 'owner' | 'dialect' | 'length' | 'metadata' | 'filename' | 'contentType'
> & {
  readonly expiresAt: number
  /** Whether it is one of those that another upload is to be made of. */
  readonly isPartial?: boolean
  readonly digests?: DigestWishes
  /** Of an upload by link: when to look whether its bytes came, and until when they may. */
  readonly link?: { readonly checkAt: number; readonly incomingUntil: number | undefined }
}

const linkDialect = 'link'

/** What is said of a new upload whose bytes do not come by one of the protocols, but by a link. */
export const byLink = { dialect: linkDialect, metadata: undefined } as const

export function isByLink({ dialect }: Pick<Upload, 'dialect'>): boolean {
  return dialect === linkDialect
}

/** Of an upload whose bytes come in one request for all of it. */
export const inOneRequest = { dialect: 'http', metadata: undefined } as const

/**
 * Whether nobody goes on with an upload at the upload path: neither with one by link, nor while it is
 * taken in one request, which would be ended for it and has nobody to go on.
 */
export function isClosed({ dialect, state }: Pick<Upload, 'dialect' | 'state'>): boolean {
  return dialect === linkDialect || (dialect === inOneRequest.dialect && state === 'receiving')
}

export function toUpload(row: UploadRow, now = Date.now()): Upload {
  const state = isOverdue(row, now) ? 'expired' : row.state
  return {
    id: row.id,
    owner: row.owner,
    dialect: row.dialect,
    length: row.length ?? undefined,
    offset: row.offset,
    metadata: row.metadata ?? undefined,
    filename: row.filename ?? undefined,
    contentType: row.content_type ?? undefined,
    state,
    failure: row.failure ?? undefined,
    sha256: row.sha256 ?? undefined,
    concat: toConcat(row),
    digests: {
      expected: row.repr_digest ?? undefined,
      wanted: row.want_repr_digest ?? undefined,
    },
    createdAt: row.created_at,
    expiresAt: mayExpire(row, state) ? (row.expires_at ?? undefined) : undefined,
    storedAt: row.stored_at ?? undefined,
    incomingUntil: row.incoming_until ?? undefined,
    lease: toLease(row),
  }
}

/** Expiry is exact, whenever the sweep comes by; an upload that is being written to does not expire. */
function isOverdue(row: UploadRow, now: number): boolean {
  const { expires_at, lease_until } = row
  return mayExpire(row, row.state) && (expires_at ?? Infinity) <= now && (lease_until ?? 0) <= now
}

/** An upload that is to be a part of another one is not finished when it is stored. */
function mayExpire({ concat, final_id }: UploadRow, state: UploadState): boolean {
  return state === 'receiving' || (state === 'stored' && concat === partial && final_id === null)
}

/** `Upload-Concat` of an upload that others are to be made of. */
export const partial = 'partial'

function toConcat({ concat, sources, final_id }: UploadRow): Concat | undefined {
  if (concat === null) return undefined
  if (concat === partial) return { role: 'partial', finalId: final_id ?? undefined }
  return { role: 'final', header: concat, sources: idsOf(sources) }
}

function idsOf(json: string | null): string[] {
  const ids: unknown = JSON.parse(json ?? '[]')
  return Array.isArray(ids) ? ids.filter((id) => typeof id === 'string') : []
}

function toLease({ lease_holder, lease_token, lease_until }: UploadRow): LeaseRecord | undefined {
  return lease_holder !== null && lease_token !== null && lease_until !== null
    ? { holder: lease_holder, token: lease_token, until: lease_until }
    : undefined
}
