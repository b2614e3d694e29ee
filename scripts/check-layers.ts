/**
 * Who may import whom. The tables below are the rules; `npm test` runs this check, which lists
 * every import that breaks one.
 */
import { globSync, readFileSync } from 'node:fs'
import { join, posix, resolve } from 'node:path'

/** Small files without a folder that everyone may use. */
export const kernel: Readonly<Record<string, readonly string[]>> = {
  errors: [],
  settings: ['errors'],
  ids: ['errors'],
}

const ledgerUsers = ['operations', 'database', 'storage', 'queue', 'auth', 'events']

/** A folder of src (or a file in it) and the folders it may import besides itself and the kernel. */
export const layers: Readonly<Record<string, readonly string[]>> = {
  operations: [],
  conversion: [],
  database: ['operations'],
  storage: ['operations'],
  queue: ['operations', 'database'],
  auth: ['operations', 'database'],
  events: ['operations', 'database'],
  uploads: ledgerUsers,
  images: [...ledgerUsers, 'uploads', 'conversion'],
  posts: ['operations', 'database', 'queue', 'auth', 'events', 'images'],
  profiles: ['operations', 'database', 'auth', 'events', 'images'],
  statistics: ['operations', 'database', 'auth'],
  retention: [
    'operations',
    'database',
    'queue',
    'events',
    'uploads',
    'images',
    'posts',
    'profiles',
  ],
  http: [
    ...ledgerUsers,
    'conversion',
    'uploads',
    'images',
    'posts',
    'profiles',
    'statistics',
    'retention',
  ],
  console: [],
}

/** Files that join the folders; nothing but the later ones may import them. */
export const joints: readonly string[] = ['config', 'compose', 'main']

const kyselyUsers = 'database queue events auth uploads images posts profiles statistics retention'

/** Packages that only some folders may import. */
export const packageRules: readonly PackageRule[] = [
  { packages: ['hono', '@hono/*'], layers: ['http'] },
  // The stock stack is what tests and benches compare with.
  { packages: ['@tus/*'], layers: [] },
  { packages: ['pg', 'better-sqlite3'], layers: ['database'] },
  { packages: ['kysely'], layers: kyselyUsers.split(' ') },
  { packages: ['@aws-sdk/*', '@smithy/*'], layers: ['storage'] },
  { packages: ['sharp'], layers: ['conversion'] },
]

export interface PackageRule {
  /** Names, or a scope as `@scope/*`. */
  readonly packages: readonly string[]
  readonly layers: readonly string[]
}

/** Paths from the root of the project, with forward slashes, and what the files hold. */
export type Sources = ReadonlyMap<string, string>

/** Every broken rule as `file: may not import X (reason)`; empty when all is well. */
export function checkLayers(sources: Sources): string[] {
  const program = [...sources].filter(([file]) => file.startsWith('src/'))
  return [...program.flatMap(([file, text]) => checkFile(file, text)), ...checkAcceptance(sources)]
}

function checkFile(file: string, text: string): string[] {
  const layer = layerOf(file)
  if (!isKnown(layer)) return [`${file}: lies in no known folder (add it to the table)`]
  const code = withoutComments(text)
  const broken = importsOf(code).flatMap((specifier) => {
    const reason = specifier.startsWith('.')
      ? checkRelative(layer, resolveFrom(file, specifier))
      : checkPackage(layer, specifier)
    return reason ? [`${file}: may not import ${specifier} (${reason})`] : []
  })
  if (/\bimport\s*\((?!\s*['"])/.test(code)) {
    broken.push(`${file}: may not import what a variable names (this check could not see it)`)
  }
  if (file !== 'src/config.ts' && readsEnvironment(code)) {
    broken.push(`${file}: may not read the environment (only src/config.ts does)`)
  }
  return broken
}

function checkRelative(layer: string, target: string): string | undefined {
  if (!target.startsWith('src/')) return 'it lies outside src'
  const other = layerOf(target)
  if (other === layer) return undefined
  const allowed = importableBy(layer)
  if (allowed.includes(other)) return undefined
  return `${layer} may import ${allowed.join(', ') || 'nothing'}`
}

/** The folders and files that a folder or file may import. */
export function importableBy(layer: string): readonly string[] {
  const ofKernel = kernel[layer]
  if (ofKernel) return ofKernel
  // The console is sent to browsers: nothing of the server may get into it.
  if (layer === 'console') return []
  const everyone = Object.keys(kernel)
  const ofLayer = layers[layer]
  if (ofLayer) return [...everyone, ...ofLayer]
  const earlier = joints.slice(0, joints.indexOf(layer))
  return [...everyone, ...Object.keys(layers), ...earlier]
}

function checkPackage(layer: string, specifier: string): string | undefined {
  const name = /^(@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier
  const rule = packageRules.find(({ packages }) =>
    packages.some((entry) =>
      entry.endsWith('/*') ? name.startsWith(entry.slice(0, -1)) : name === entry,
    ),
  )
  if (!rule || rule.layers.includes(layer)) return undefined
  return `${rule.layers.length > 0 ? 'only ' : ''}${rule.layers.join(', ') || 'nothing'} may`
}

/** Acceptance tests know the program from outside, and so does everything they use. */
function checkAcceptance(sources: Sources): string[] {
  const broken: string[] = []
  const reached = [...sources.keys()].filter((file) => file.startsWith('test/acceptance/'))
  for (const file of reached) {
    const code = withoutComments(sources.get(file) ?? '')
    for (const specifier of importsOf(code)) {
      if (isOwnPackage(specifier) && !isTypeOnly(code, specifier)) {
        broken.push(`${file}: may not import ${specifier} (types of landfall/client may be)`)
      }
      if (!specifier.startsWith('.')) continue
      const target = resolveFrom(file, specifier)
      if (target.startsWith('src/')) {
        broken.push(`${file}: may not import ${specifier} (acceptance tests use it)`)
      } else if (sources.has(target) && !reached.includes(target)) {
        reached.push(target)
      }
    }
  }
  return broken
}

/** What others who install this package can name of it. */
function isOwnPackage(specifier: string): boolean {
  return specifier === 'landfall' || specifier.startsWith('landfall/')
}

/** Whether all that is had of the client is its types, of which nothing is left when the test runs. */
function isTypeOnly(code: string, specifier: string): boolean {
  const named = code.split(`'${specifier}'`).length - 1
  const asTypes = code.match(/^import type \{[\w\s,]*\} from 'landfall\/client'$/gm) ?? []
  return specifier === 'landfall/client' && asTypes.length === named
}

/** `src/queue/local/claim.ts` is in `queue`, `src/main.ts` is `main`. */
function layerOf(file: string): string {
  return file.split('/')[1]?.replace(/\.ts$/, '') ?? ''
}

function isKnown(layer: string): boolean {
  return layer in kernel || layer in layers || joints.includes(layer)
}

function resolveFrom(file: string, specifier: string): string {
  return posix.join(posix.dirname(file), specifier)
}

/** Comments stand on lines of their own or after code; those after code hold no imports. */
function withoutComments(text: string): string {
  return text.replace(/^\s*(?:\/\/|\/?\*).*$/gm, '')
}

/**
 * The modules that a file names. The formatter puts every statement on a line of its own, which is
 * why a pattern is enough here.
 */
export function importsOf(code: string): string[] {
  const statements = /^\s*(?:import|export)\b(?:[\w\s*{},$]*?\bfrom)?\s*['"]([^'"]+)['"]/gm
  const calls = /\b(?:import|require|resolve)\s*\(\s*['"]([^'"]+)['"]/g
  return [...code.matchAll(statements), ...code.matchAll(calls)].map(
    ([, specifier]) => specifier ?? '',
  )
}

function readsEnvironment(code: string): boolean {
  return /\bprocess\b\s*\??\.?\s*(?:env\b|\[)|['"](?:node:)?process['"]/.test(code)
}

function readSources(root: string): Sources {
  const files = globSync(['src/**/*.ts', 'test/**/*.ts'], { cwd: root })
  return new Map(
    files.map((file) => [file.replaceAll('\\', '/'), readFileSync(join(root, file), 'utf8')]),
  )
}

if (import.meta.main) {
  const sources = readSources(resolve(import.meta.dirname, '..'))
  const broken = checkLayers(sources)
  for (const line of broken) console.error(line)
  if (broken.length > 0) process.exitCode = 1
  else console.log(`Layers: ${sources.size} files keep to the table.`)
}
