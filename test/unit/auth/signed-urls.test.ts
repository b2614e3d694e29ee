import { expect, it } from 'vitest'
import { SignedUrls } from '../../../src/auth/signed-urls.ts'

const hour = 3_600
const now = Date.UTC(2026, 0, 1, 0, 30)

function urls(fill = 1): SignedUrls {
  const made = new SignedUrls()
  made.useKey(Buffer.alloc(32, fill))
  return made
}
const signed = (path: string, at = now) => new URLSearchParams(urls().sign(path, hour, at))

it('a signed URL is good for an hour at least, and for two at most', () => {
  const query = signed('/a')
  for (const after of [0, hour - 1]) {
    expect(urls().verify('/a', query, now + after * 1_000)).toBe(true)
  }
  expect(urls().verify('/a', query, now + 2 * hour * 1_000)).toBe(false)
  expect(signed('/a', now + 60_000).toString()).toBe(query.toString())
})

it('a signed URL is good for its path, however that is encoded', () => {
  const id = 'auth0|a/b (c)'
  const path = `/v1/users/${encodeURIComponent(id)}/avatar`
  const query = signed(path)
  for (const same of [
    path,
    path.replace('(', '%28'),
    path.replace('%7C', '|'),
    path.replaceAll('%2F', '%2f'),
  ]) {
    expect(urls().verify(same, query, now), same).toBe(true)
  }
  for (const other of [
    path.replace('%2F', '/'),
    path.replace('%7C', ''),
    `${path}/`,
    '/%',
    '/%ff',
  ]) {
    expect(urls().verify(other, query, now), other).toBe(false)
  }
})

it('a URL that another key signed, or nobody, is not good', () => {
  const query = signed('/a')
  expect(urls(2).verify('/a', query, now)).toBe(false)
  for (const [name, value] of [
    ['expires', '9'.repeat(13)],
    ['expires', '1e9'],
    ['expires', ''],
    ['signature', ''],
    ['signature', 'ü'],
  ] as const) {
    const changed = new URLSearchParams(query)
    changed.set(name, value)
    expect(urls().verify('/a', changed, now), `${name}=${value}`).toBe(false)
  }
  expect(urls().verify('/a', new URLSearchParams(), now)).toBe(false)
})
