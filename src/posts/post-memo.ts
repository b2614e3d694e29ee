import type { Post } from './post.ts'

/** So many posts are remembered, of some kilobytes each. */
const mostPosts = 1_000

/** Which post, with how many of its comments, and as of which changes. */
export interface PostKey {
  readonly id: string
  /** How many of the latest comments are wanted of it. */
  readonly comments: number
  readonly revision: number
  readonly imageRevision: number
}

/**
 * Posts that were read, each for as long as neither it nor its image has changed since: the database
 * says so by their revisions, so that this holds for several processes as well. Whoever makes
 * something of a post can tell by its identity that nothing of it has changed.
 */
export class PostMemo {
  readonly #known = new Map<string, { readonly version: string; readonly post: Post }>()

  get(key: PostKey): Post | undefined {
    const name = nameOf(key)
    const last = this.#known.get(name)
    if (last?.version !== versionOf(key)) return undefined
    // Those that were asked for last are forgotten last.
    this.#known.delete(name)
    this.#known.set(name, last)
    return last.post
  }

  set(key: PostKey, post: Post): void {
    const name = nameOf(key)
    this.#known.delete(name)
    this.#known.set(name, { version: versionOf(key), post })
    const [oldest] = this.#known.size > mostPosts ? this.#known.keys() : []
    if (oldest !== undefined) this.#known.delete(oldest)
  }
}

function nameOf({ id, comments }: PostKey): string {
  return `${id} ${comments}`
}

function versionOf({ revision, imageRevision }: PostKey): string {
  return `${revision} ${imageRevision}`
}
