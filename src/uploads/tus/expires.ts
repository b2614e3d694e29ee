/** Until when an upload can be continued (tus: Expiration), for an answer about an unfinished one. */
export function expires(at: number | undefined): Record<string, string> {
  return at === undefined ? {} : { 'Upload-Expires': new Date(at).toUTCString() }
}
