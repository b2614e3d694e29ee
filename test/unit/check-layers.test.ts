import { describe, expect, it } from 'vitest'
import {
  checkLayers,
  importableBy,
  importsOf,
  joints,
  kernel,
  layers,
  packageRules,
} from '../../scripts/check-layers.ts'

const folders = Object.keys(layers)
const everything = [...Object.keys(kernel), ...folders, ...joints]

const fileOf = (layer: string) => (layer in layers ? `src/${layer}/a.ts` : `src/${layer}.ts`)
const check = (files: Record<string, string>) => checkLayers(new Map(Object.entries(files)))
const pathTo = (from: string, to: string) => `${from in layers ? '..' : '.'}${fileOf(to).slice(3)}`

describe('check-layers', () => {
  it('keeps every folder and file to its row of the table', () => {
    for (const from of everything) {
      const allowed = importableBy(from)
      for (const to of everything.filter((layer) => layer !== from)) {
        const broken = check({ [fileOf(from)]: `import { x } from '${pathTo(from, to)}'\n` })
        expect(broken.length, `${from} → ${to}`).toBe(allowed.includes(to) ? 0 : 1)
      }
    }
  })

  it('has a table without circles', () => {
    const free = new Set<string>()
    const visit = (layer: string, path: readonly string[]): void => {
      expect(path, 'a circle').not.toContain(layer)
      if (free.has(layer)) return
      for (const next of importableBy(layer)) visit(next, [...path, layer])
      free.add(layer)
    }
    for (const layer of everything) visit(layer, [])
  })

  it('keeps uploads from knowing images, and all of them from the stock stack', () => {
    expect(importableBy('uploads')).not.toContain('images')
    expect(check({ 'src/uploads/a.ts': "import { Server } from '@tus/server'" })).toEqual([
      'src/uploads/a.ts: may not import @tus/server (nothing may)',
    ])
  })

  it('keeps every restricted package to its folders', () => {
    for (const rule of packageRules) {
      for (const entry of rule.packages) {
        const specifier = `${entry.replace('*', 'something')}/deep/path`
        for (const layer of folders) {
          const broken = check({ [`src/${layer}/deep/a.ts`]: `import '${specifier}'\n` })
          expect(broken.length, `${layer} → ${specifier}`).toBe(rule.layers.includes(layer) ? 0 : 1)
        }
      }
    }
  })

  it('leaves packages alone that no rule names, also when their names begin alike', () => {
    const text = "import 'zod'\nimport 'node:fs'\nimport 'pg-protocol'\nimport 'hono-like'\n"
    expect(check({ 'src/events/a.ts': text })).toEqual([])
  })

  it.each([
    ['a static import', "import { x } from '../images/b.ts'"],
    ['an import over several lines', "import {\n  x,\n  type Y,\n} from '../images/b.ts'"],
    ['a type import', "import type { X } from '../images/b.ts'"],
    ['an import for its effect', "import '../images/b.ts'"],
    ['a namespace import', "import * as images from '../images/b.ts'"],
    ['a dynamic import', "const images = await import('../images/b.ts')"],
    ['a type in a dynamic import', "let x: import('../images/b.ts').X"],
    ['a re-export', "export { x } from '../images/b.ts'"],
    ['a re-export of everything', "export * from '../images/b.ts'"],
    ['a re-export of a type', "export type { X } from '../images/b.ts'"],
    ['a resolved module', "new Worker(import.meta.resolve('../images/b.ts'))"],
    ['require', "createRequire(import.meta.url)('x')\nrequire('../images/b.ts')"],
  ])('sees %s', (_name, text) => {
    const broken = check({ 'src/queue/a.ts': `const before = 1\n${text}\nconst after = 2\n` })
    expect(broken).toEqual([
      'src/queue/a.ts: may not import ../images/b.ts (queue may import errors, settings, ids, operations, database)',
    ])
  })

  it('does not take comments and other words for imports', () => {
    const text = [
      "// import { x } from '../images/b.ts'",
      '/**',
      " * import { x } from '../images/b.ts'",
      ' */',
      "const bytes = Buffer.from('../images/b.ts')",
      "export const important = '../images/b.ts'",
    ].join('\n')
    expect(importsOf(text.split('\n').slice(4).join('\n'))).toEqual([])
    expect(check({ 'src/queue/a.ts': text })).toEqual([])
  })

  it('refuses an import whose module a variable names', () => {
    expect(check({ 'src/queue/a.ts': 'await import(name)' })).toHaveLength(1)
  })

  it('refuses imports from outside src, and folders that are not in the table', () => {
    expect(check({ 'src/queue/a.ts': "import { x } from '../../test/support/b.ts'" })).toEqual([
      'src/queue/a.ts: may not import ../../test/support/b.ts (it lies outside src)',
    ])
    expect(check({ 'src/helpers/a.ts': '' })).toEqual([
      'src/helpers/a.ts: lies in no known folder (add it to the table)',
    ])
  })

  it.each([
    'process.env.PORT',
    "process['env'].PORT",
    'process?.env',
    "import { env } from 'node:process'",
  ])('lets only config.ts read the environment: %s', (text) => {
    expect(check({ 'src/main.ts': text })).toEqual([
      'src/main.ts: may not read the environment (only src/config.ts does)',
    ])
    expect(check({ 'src/config.ts': text })).toEqual([])
  })

  it('lets acceptance tests know the API as a type, and nothing else of the program', () => {
    const broken = (text: string) => check({ 'test/acceptance/a.test.ts': `${text}\n` })
    expect(broken("import type { Api } from 'landfall/client'")).toEqual([])
    for (const text of [
      "import { Api } from 'landfall/client'",
      "import { type Api } from 'landfall/client'",
      "export * from 'landfall/client'",
      "await import('landfall/client')",
      "import type { Api } from 'landfall/client'\nawait import('landfall/client')",
      "import type { createApp } from 'landfall/src/http/app.ts'",
      "import type { Api } from 'landfall'",
    ]) {
      expect(broken(text).length, text).toBeGreaterThan(0)
    }
  })

  it('keeps acceptance tests, and what they use, from importing the program', () => {
    const files = {
      'test/acceptance/a.test.ts': "import { b } from '../support/b.ts'",
      'test/support/b.ts': "import { c } from './c.ts'",
      'test/support/c.ts': "import { x } from '../../src/queue/x.ts'",
      'test/unit/d.test.ts': "import { x } from '../../src/queue/x.ts'",
    }
    expect(check(files)).toEqual([
      'test/support/c.ts: may not import ../../src/queue/x.ts (acceptance tests use it)',
    ])
  })
})
