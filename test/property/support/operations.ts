/** What clients do, as plain data: a failure prints it, and it can be tried again. */

/** An interop version of the IETF drafts. */
export type Draft = 3 | 5 | 6 | 9
export type Speech = 'tus' | Draft

/** What a request says of the digest of its body. */
export interface Digest {
  readonly algorithm: string
  readonly isRight: boolean
  /** After the body; in tus only. */
  readonly inTrailer: boolean
}

/** A request that brings bytes. */
interface Bytes {
  readonly speech: Speech
  readonly chunked: boolean
  readonly digest: Digest | undefined
  /** Whether the upload is complete with it; in IETF only. */
  readonly completes: boolean
  /** What the bytes are made of. */
  readonly seed: number
}

export interface Sending extends Bytes {
  /** So many bytes, or what is missing of the upload and so many more or less. */
  readonly size: number | { readonly rest: number }
  /** The length it says the upload has, counted from its own end. */
  readonly declares: number | undefined
}

export interface Creation extends Bytes {
  /** Bytes; undefined without a body. */
  readonly size: number | undefined
  /** Undefined when it is not told. */
  readonly length: number | undefined
}

/** `share` is how much of a body is sent. */
export type Operation =
  | { readonly kind: 'create'; readonly creation: Creation }
  | { readonly kind: 'cut creation'; readonly creation: Creation; readonly share: number }
  | OperationOnUpload

/** `upload` is one of those there are, by a number of any size. */
export type OperationOnUpload =
  | {
      readonly kind: 'append'
      readonly upload: number
      readonly sending: Sending
      /** How far it is from where the upload stands. */
      readonly offBy: number
    }
  | {
      readonly kind: 'cut'
      readonly upload: number
      readonly sending: Sending
      readonly share: number
    }
  | { readonly kind: 'head'; readonly upload: number; readonly speech: Speech }
  | { readonly kind: 'delete'; readonly upload: number; readonly speech: Speech }
  | { readonly kind: 'get'; readonly upload: number }
  | {
      readonly kind: 'take over'
      readonly upload: number
      readonly sending: Sending
      readonly share: number
      readonly by: Sending | { readonly head: Speech } | { readonly delete: Speech }
    }
  | {
      readonly kind: 'race'
      readonly upload: number
      readonly one: Sending
      readonly other: Sending
    }

export type OperationOf<K extends Operation['kind']> = Extract<Operation, { kind: K }>
