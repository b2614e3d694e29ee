import { describe, expect, it } from 'vitest'
import { newId } from '../../../src/ids.ts'
import { type LocationOptions, Locations } from '../../../src/uploads/protocol/location.ts'
import { uploadRequest } from '../../support/upload-request.ts'

const id = newId()
const plain = { path: '/files', publicUrl: undefined, trustProxy: false }
const forwarded = { 'x-forwarded-proto': 'https, http', 'x-forwarded-host': 'up.example, inner' }

const locations = (options: Partial<LocationOptions> = {}) =>
  new Locations({ ...plain, ...options })

const request = (url = '/files', headers: Record<string, string> = {}) =>
  uploadRequest({ host: 'here:8080', ...headers }, { url })

describe('the URL of an upload', () => {
  it('is relative when nobody said what clients call this server', () => {
    expect(locations().of(request(), id)).toBe(`/files/${id}`)
    expect(locations().of(request('/files', forwarded), id)).toBe(`/files/${id}`)
  })

  it('begins with the public URL', () => {
    const publicUrl = 'https://example.com/uploads'
    expect(locations({ publicUrl }).of(request(), id)).toBe(`${publicUrl}/files/${id}`)
  })

  it('is what a trusted proxy was called, the first of several', () => {
    const behind = locations({ trustProxy: true })
    expect(behind.of(request('/files', forwarded), id)).toBe(`https://up.example/files/${id}`)
    expect(behind.of(request('/files', { 'x-forwarded-proto': 'https' }), id)).toBe(
      `https://here:8080/files/${id}`,
    )
  })

  it.each(['ftp', 'javascript', ''])('is not made of the scheme "%s"', (scheme) => {
    const headers = { ...forwarded, 'x-forwarded-proto': scheme }
    expect(locations({ trustProxy: true }).of(request('/files', headers), id)).toBe(`/files/${id}`)
  })

  it.each(['a b', 'a/b', 'a"b', 'evil\\@x'])('is not made of the host "%s"', (host) => {
    const headers = { ...forwarded, 'x-forwarded-host': host }
    expect(locations({ trustProxy: true }).of(request('/files', headers), id)).toBe(`/files/${id}`)
  })
})

describe('the upload a request is about', () => {
  it.each([`/files/${id}`, `/files/${id}/`, `/files/${id}?a=b`])('is found in %s', (url) => {
    expect(locations().idIn(request(url))).toBe(id)
  })

  it.each(['/files', '/files/', '/files?a=b'])('is none where uploads are created: %s', (url) => {
    expect(locations().idIn(request(url))).toBeUndefined()
  })

  it.each(['/files/x', `/files/a/${id}`, '/files/..', `/files/${id.toUpperCase()}`])(
    'does not exist under %s',
    (url) => {
      const find = () => locations().idIn(request(url))
      expect(find).toThrow(expect.objectContaining({ status: 404 }))
    },
  )
})

describe('the upload that a URL names', () => {
  const publicUrl = 'https://example.com/uploads'

  it.each([
    `/files/${id}`,
    `http://here:8080/files/${id}`,
    `https://here:8080/files/${id}`,
    `${id}`,
    `/files/${id}/`,
    `/files/${id}?token=x`,
    `//here:8080/files/${id}`,
  ])('is ours: %s', (url) => {
    expect(locations().idAt(request(), url)).toBe(id)
  })

  it.each([
    `http://elsewhere:8080/files/${id}`,
    `http://here/files/${id}`,
    `ftp://here:8080/files/${id}`,
    `/other/${id}`,
    `/a/files/${id}`,
    `/files/a/${id}`,
    '/files/',
    '/files/x',
    '',
    'http://',
    `http://elsewhere\\@here:8080/files/${id}`,
    `http://user:secret@here:8080/files/${id}`,
  ])('is not ours: %s', (url) => {
    expect(locations().idAt(request(), url)).toBeUndefined()
  })

  it('is ours under the public URL, and behind what took its path off', () => {
    const ours = locations({ publicUrl })
    expect(ours.idAt(request(), `${publicUrl}/files/${id}`)).toBe(id)
    expect(ours.idAt(request(), `/uploads/files/${id}`)).toBe(id)
    expect(ours.idAt(request(), `/files/${id}`)).toBe(id)
    expect(ours.idAt(request(), `https://example.org/uploads/files/${id}`)).toBeUndefined()
  })

  it('is ours under the name a proxy was called only when it is trusted', () => {
    const url = `https://up.example/files/${id}`
    expect(locations({ trustProxy: true }).idAt(request('/files', forwarded), url)).toBe(id)
    expect(locations().idAt(request('/files', forwarded), url)).toBeUndefined()
  })
})
