import { globSync, readFileSync } from 'node:fs'
import { posix, resolve } from 'node:path'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { importsOf } from '../../scripts/check-layers.ts'

const root = resolve(import.meta.dirname, '../..')
const read = (name: string) => readFileSync(resolve(root, name), 'utf8')

it('the container starts the program the way npm start does', () => {
  const { scripts } = z
    .object({ scripts: z.object({ start: z.string() }) })
    .parse(JSON.parse(read('package.json')))
  const [, command = ''] = /^CMD (.*)$/m.exec(read('Dockerfile')) ?? []
  expect(z.array(z.string()).parse(JSON.parse(command)).join(' ')).toBe(scripts.start)
})

it('the container has all that the commands for operators are made of', () => {
  const copied = [...read('Dockerfile').matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(
    ([, sources = '']) => sources.split(' '),
  )
  const isCopied = (file: string) =>
    copied.some((source) => file === source || file.startsWith(`${source}/`))
  const scripts = globSync('scripts/**/*.ts', { cwd: root }).filter(isCopied)
  expect(scripts).toEqual(
    expect.arrayContaining(['scripts/migrate.ts', 'scripts/reconvert/run.ts', 'scripts/token.ts']),
  )
  for (const file of scripts) {
    for (const specifier of importsOf(read(file)).filter((name) => name.startsWith('.'))) {
      expect(isCopied(posix.join(posix.dirname(file), specifier)), `${file}: ${specifier}`).toBe(
        true,
      )
    }
  }
})

it('the container has every package that the program is made of', () => {
  const { dependencies } = z
    .object({ dependencies: z.record(z.string(), z.string()) })
    .parse(JSON.parse(read('package.json')))
  const specifiers = globSync('src/**/*.ts', { cwd: root }).flatMap((file) => importsOf(read(file)))
  const packages = specifiers
    .filter((name) => !name.startsWith('.') && !name.startsWith('node:'))
    .map((name) => /^(@[^/]+\/)?[^/]+/.exec(name)?.[0] ?? name)
  expect(packages).toContain('swagger-ui-dist')
  expect(packages.filter((name) => !(name in dependencies))).toEqual([])
})
