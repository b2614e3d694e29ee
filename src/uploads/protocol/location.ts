import { isId } from '../../ids.ts'
import { uploadNotFound } from '../errors.ts'
import type { UploadRequest } from './request.ts'

export interface LocationOptions {
  /** Where uploads are created; each is one segment below. */
  readonly path: string
  /** What clients call this server. */
  readonly publicUrl: string | undefined
  /** Whether a proxy stands before it, that says what clients call it. */
  readonly trustProxy: boolean
}

/** The URLs of uploads. */
export class Locations {
  readonly #options: LocationOptions

  constructor(options: LocationOptions) {
    this.#options = options
  }

  /** Where an upload is: relative, unless it is known what clients call this server. */
  of(request: UploadRequest, id: string): string {
    const { path, publicUrl } = this.#options
    const base = publicUrl ?? forwardedOrigin(request, this.#options) ?? ''
    return `${base}${path}/${id}`
  }

  /** What can be asked for at the URL of a request (RFC 9110, Allow). */
  methodsAt(request: UploadRequest): string {
    const isCollection = this.#restOf(request) === ''
    return isCollection ? 'POST, OPTIONS' : 'GET, HEAD, PATCH, DELETE, OPTIONS'
  }

  #restOf(request: UploadRequest): string {
    return request.path.slice(this.#options.path.length).replace(/^\/|\/$/g, '')
  }

  /** The id of the upload a request is about; undefined where uploads are created. */
  idIn(request: UploadRequest): string | undefined {
    const rest = this.#restOf(request)
    if (rest === '') return undefined
    if (!isId(rest)) throw uploadNotFound()
    return rest
  }

  /** The id in a URL a client sent, relative to the request; undefined when it is not one of ours. */
  idAt(request: UploadRequest, url: string): string | undefined {
    const { path, publicUrl } = this.#options
    const names = [publicUrl, forwardedOrigin(request, this.#options), hostOrigin(request)]
    const own = names.flatMap((name) => (name && URL.parse(`${name}${path}/`)) || [])
    const [base = new URL(`http://localhost${path}/`)] = own
    const target = URL.parse(url, base.href)
    if (!target || !/^https?:$/.test(target.protocol) || target.username) return undefined
    // Whichever scheme a proxy took off: the names have to be those this server is called by.
    if (![base, ...own].some(({ host }) => host === target.host)) return undefined
    const [, parent, id = ''] = /^(.*\/)([^/]+)\/?$/.exec(target.pathname) ?? []
    return isId(id) && [base.pathname, `${path}/`].includes(parent ?? '') ? id : undefined
  }
}

function hostOrigin(request: UploadRequest): string | undefined {
  const host = request.header('Host')
  return host === undefined ? undefined : `http://${host}`
}

/** What a trusted proxy says that it was called. The first of several is what the client sees. */
function forwardedOrigin(
  request: UploadRequest,
  { trustProxy }: LocationOptions,
): string | undefined {
  if (!trustProxy) return undefined
  const first = (name: string) => request.header(name)?.split(',', 1)[0]?.trim()
  const proto = first('X-Forwarded-Proto') ?? 'http'
  const host = first('X-Forwarded-Host') ?? request.header('Host')
  if (!/^https?$/.test(proto) || !host || !/^[\w.:[\]-]+$/.test(host)) return undefined
  return `${proto}://${host}`
}
