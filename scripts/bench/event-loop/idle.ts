/** Does nothing until it is told to end: how late this one is, is how late the machine makes anybody. */
import { createServer } from 'node:http'
import { announce } from '../announce.ts'

announce(createServer())
