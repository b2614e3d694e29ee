import { newId } from '../../ids.ts'
import { badConcat, badHeader } from '../errors.ts'
import type { Answer } from '../protocol/answer.ts'
import type { DialectDependencies } from '../protocol/context.ts'
import type { UploadRequest } from '../protocol/request.ts'
import { readMetadata } from './metadata.ts'

/** POST of a final upload: `final;` and the URLs of the partial ones (tus: Concatenation). */
export function finalMethod({ concatenate, locations }: DialectDependencies) {
  return async (request: UploadRequest, header: string): Promise<Answer> => {
    const owner = request.visitor.requireUser()
    if (request.header('Upload-Length') ?? request.header('Upload-Defer-Length')) {
      throw badHeader('A final upload is as long as its parts are; it has no Upload-Length.')
    }
    if (request.mayHaveContent) throw badHeader('A final upload takes no bytes.')
    const sources = readSources(header, (url) => locations.idAt(request, url))
    const wish = { id: newId(), owner: owner.id, dialect: 'tus', header, sources }
    const { id } = await concatenate({ ...wish, ...readMetadata(request) }, request.gone)
    return { status: 201, headers: { Location: locations.of(request, id) } }
  }
}

/** @throws AppError `bad-concat` (400) */
function readSources(header: string, idAt: (url: string) => string | undefined): string[] {
  const urls = header
    .slice('final;'.length)
    .split(' ')
    .filter((url) => url !== '')
  if (urls.length === 0) throw badConcat('it names no upload')
  return urls.map((url) => {
    const id = idAt(url)
    if (id === undefined)
      throw badConcat('it names something that is no upload of this server (see PUBLIC_URL)')
    return id
  })
}
