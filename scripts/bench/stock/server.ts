/** The stack Landfall is measured against: @tus/server on @tus/file-store, as their guides show it. */
import { createServer } from 'node:http'
import { FileStore } from '@tus/file-store'
import { Server } from '@tus/server'
import { announce } from '../announce.ts'

const directory = process.argv[2]
if (directory === undefined) throw new Error('usage: server.ts <directory>')

const tus = new Server({ path: '/files', datastore: new FileStore({ directory }) })

announce(createServer((request, response) => void tus.handle(request, response)))
