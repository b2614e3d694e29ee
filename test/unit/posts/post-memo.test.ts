import { describe, expect, it } from 'vitest'
import type { Post } from '../../../src/posts/post.ts'
import { type PostKey, PostMemo } from '../../../src/posts/post-memo.ts'
import { isLong, type PostRow } from '../../../src/posts/post-rows.ts'

const key = (id: string, given: Partial<PostKey> = {}): PostKey => ({
  ...{ id, comments: 2, revision: 1, imageRevision: 1 },
  ...given,
})

const post = (id: string): Post => ({
  ...{ id, owner: 'ann', caption: '', commentCount: 0, comments: [], createdAt: 0 },
  image: {
    ...{ id: 'i', state: 'processing', error: undefined, width: undefined, height: undefined },
    ...{ thumbhash: undefined, color: undefined, renditions: [] },
  },
})

describe('what is remembered of posts', () => {
  it('is the post until it or its image has changed, for each number of comments', () => {
    const memo = new PostMemo()
    const known = post('a')
    memo.set(key('a'), known)
    expect(memo.get(key('a'))).toBe(known)
    expect(memo.get(key('a', { revision: 2 }))).toBeUndefined()
    expect(memo.get(key('a', { imageRevision: 2 }))).toBeUndefined()
    expect(memo.get(key('a', { comments: 3 }))).toBeUndefined()
    expect(memo.get(key('b'))).toBeUndefined()
  })

  it('is a thousand of them, those that were asked for last', () => {
    const memo = new PostMemo()
    for (let n = 0; n < 1_000; n += 1) memo.set(key(String(n)), post(String(n)))
    expect(memo.get(key('0'))).toBeDefined()
    memo.set(key('more'), post('more'))
    expect(memo.get(key('0'))).toBeDefined()
    expect(memo.get(key('1'))).toBeUndefined()
    expect(memo.get(key('more'))).toBeDefined()
  })

  it('is none of which there is much', () => {
    const row: PostRow = {
      ...{ id: 'a', owner: 'ann', caption: '', comment_count: 1, created_at: 0, image_id: 'i' },
      ...{ revision: 1, image_revision: 1, image: '[]', renditions: '[]', comments: '[]' },
    }
    expect(isLong(row)).toBe(false)
    expect(isLong({ ...row, comments: JSON.stringify([['c', 'bob', 'x'.repeat(9_000), 0]]) })).toBe(
      true,
    )
  })
})
