/**
 * The iterations of "Resumable Uploads for HTTP" (draft-ietf-httpbis-resumable-upload) that clients
 * speak, by their interop version. What differs between them is a column here and nowhere else.
 */
export interface InteropVersion {
  /** Whether a version of the draft was named that is known here; only then there are 104 answers. */
  readonly interop: number | undefined
  /** The field that says whether an upload is complete. */
  readonly completeness: 'Upload-Complete' | 'Upload-Incomplete'
  /** Whether clients are told about progress. */
  readonly tellsProgress: boolean
  /** The media type that appended content has to have. */
  readonly contentType: string | undefined
  /** The key of `Upload-Limit` that tells how long an upload is kept; undefined without the field. */
  readonly ageLimit: 'expires' | 'max-age' | undefined
  /** The status of an append that does not complete the upload. */
  readonly appended: 201 | 204
  /** Fields that a request about the state of an upload must not have. */
  readonly forbidden: readonly string[]
  /** The status for an upload that expired or failed. */
  readonly gone: 404 | 410
  /** Whether what came of a complete upload is told again to a client that asks for it again. */
  readonly repeatsFinal: boolean
  /** Whether an upload has failed that is sent more than its length. */
  readonly failsBeyondLength: boolean
}

/** draft-03 */
const early = {
  completeness: 'Upload-Complete',
  tellsProgress: true,
  contentType: undefined,
  ageLimit: undefined,
  appended: 201,
  forbidden: ['Upload-Offset', 'Upload-Complete'],
  gone: 404,
  repeatsFinal: false,
  failsBeyondLength: false,
} as const

/** draft-12, of July 2026: the text of -13 was not to be had. */
const newest = {
  completeness: 'Upload-Complete',
  tellsProgress: true,
  contentType: 'application/partial-upload',
  ageLimit: 'max-age',
  appended: 204,
  forbidden: [],
  gone: 410,
  repeatsFinal: true,
  failsBeyondLength: true,
} as const

const known: readonly InteropVersion[] = [
  // draft-01: iOS 17.
  {
    ...early,
    interop: 3,
    completeness: 'Upload-Incomplete',
    tellsProgress: false,
    forbidden: ['Upload-Offset', 'Upload-Incomplete'],
  },
  // draft-02.
  { ...early, interop: 4, tellsProgress: false },
  // draft-03: iOS 18.0, tus-js-client's `ietf-draft-03`.
  { ...early, interop: 5 },
  // draft-04 and -05: iOS 18.1 and later, tus-js-client's `ietf-draft-05`, tusd.
  {
    ...early,
    interop: 6,
    contentType: 'application/partial-upload',
    ageLimit: 'expires',
    forbidden: ['Upload-Offset', 'Upload-Complete', 'Upload-Length'],
  },
  // draft-06 to -08, -09 to -11, -12, -13.
  ...[7, 8, 9, 10].map((interop) => ({ ...newest, interop })),
]

/** The rules for a request; those of the newest where it names no version that is known. */
export function versionOf(interop: number | undefined): InteropVersion {
  return known.find((each) => each.interop === interop) ?? { ...newest, interop: undefined }
}
