import type { SignedUrls } from '../auth/signed-urls.ts'

/** A URL in an answer is good for at least so long. */
const linkSeconds = 3_600

/** The URLs in answers. */
export interface Links {
  /** What opens with a token only. */
  to(path: string): string
  /** What opens to whoever has the URL, for an hour or two: for `<img>` and for downloads. */
  open(path: string, query?: Readonly<Record<string, string>>): string
}

/**
 * @param base goes before every URL: the public URL, or nothing.
 * @param signedUrls undefined while everybody may see everything: then URLs stay what they are for ever.
 */
export function createLinks(base: string, signedUrls?: SignedUrls): Links {
  return {
    to: (path) => `${base}${path}`,
    open(path, query = {}) {
      const all = { ...query, ...signedUrls?.sign(path, linkSeconds) }
      const text = new URLSearchParams(all).toString()
      return `${base}${path}${text && `?${text}`}`
    },
  }
}
