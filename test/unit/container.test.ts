import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { expect, it } from 'vitest'
import { z } from 'zod'

const read = (name: string) => readFileSync(resolve(import.meta.dirname, '../..', name), 'utf8')

it('the container starts the program the way npm start does', () => {
  const { scripts } = z
    .object({ scripts: z.object({ start: z.string() }) })
    .parse(JSON.parse(read('package.json')))
  const [, command = ''] = /^CMD (.*)$/m.exec(read('Dockerfile')) ?? []
  expect(z.array(z.string()).parse(JSON.parse(command)).join(' ')).toBe(scripts.start)
})
