const maxLength = 1_024

/** Metadata as tus clients send it: keys they chose, values decoded or absent. */
export type UploadMetadata = Readonly<Record<string, string | null>>

/** The file name a client gave, under any of the keys common clients use, without directories. */
export function filenameOf(metadata: UploadMetadata): string | undefined {
  const given = metadata.filename ?? metadata.name
  return text(given?.split(/[\\/]/).at(-1))
}

/** The media type a client claims, or undefined when it is not one in form (RFC 9110, 8.3.1). */
export function contentTypeOf(metadata: UploadMetadata): string | undefined {
  const claimed = text(metadata.filetype ?? metadata.contentType ?? metadata.type)
  return claimed && /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+$/.test(claimed)
    ? claimed.toLowerCase()
    : undefined
}

function text(value: string | null | undefined): string | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be kept
  const clean = value?.replace(/[\u0000-\u001f\u007f]/g, '').trim()
  return clean ? clean.slice(0, maxLength) : undefined
}
