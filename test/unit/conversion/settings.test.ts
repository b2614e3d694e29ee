import { expect, it } from 'vitest'
import { conversionSettings } from '../../../src/conversion/settings.ts'
import { readSettings } from '../../../src/settings.ts'

const read = (env: Record<string, string>) => readSettings(conversionSettings, env)

it('by default each conversion may take a gibibyte, and how many run is left to the machine', () => {
  expect(read({})).toEqual({ concurrency: undefined, memory: 2 ** 30 })
})

it('both can be set', () => {
  const env = { CONVERSION_CONCURRENCY: '3', CONVERSION_MEMORY: '512MiB' }
  expect(read(env)).toEqual({ concurrency: 3, memory: 2 ** 29 })
})

it.each([
  ['CONVERSION_CONCURRENCY', '0'],
  ['CONVERSION_CONCURRENCY', 'many'],
  ['CONVERSION_MEMORY', '1MiB'],
  ['CONVERSION_MEMORY', 'lots'],
])('%s=%s is refused by name', (name, value) => {
  expect(() => read({ [name]: value })).toThrow(`${name}=${value}: expected`)
})
