import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { expect, it } from 'vitest'
import { settingsTable, withSettingsTable } from '../../scripts/settings-table.ts'

it("the README's table of settings is what the code declares (npm run settings writes it)", () => {
  const readme = readFileSync(resolve(import.meta.dirname, '../../README.md'), 'utf8')
  expect(readme).toContain(settingsTable())
  expect(withSettingsTable(readme)).toBe(readme)
})
