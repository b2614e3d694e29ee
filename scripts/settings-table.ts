/** `npm run settings`: writes the table of settings into the README, from what the code declares. */
import { readFileSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { settingGroups } from '../src/config.ts'
import type { Setting } from '../src/settings.ts'

const readme = resolve(import.meta.dirname, '../README.md')
const begin = '<!-- settings -->'
const end = '<!-- /settings -->'

/** The table as it has to stand between the README's markers. */
export function settingsTable(): string {
  const settings = settingGroups.flatMap((group) => Object.values(group))
  return ['| Setting | Default | What it does |', '|---|---|---|', ...settings.map(row)].join('\n')
}

/** The README with its table brought up to date. @throws when the markers are gone. */
export function withSettingsTable(text: string): string {
  const [start, stop] = [text.indexOf(begin), text.indexOf(end)]
  if (start < 0 || stop < start) throw new Error(`README.md has no ${begin} … ${end}`)
  return `${text.slice(0, start)}${begin}\n${settingsTable()}\n${text.slice(stop)}`
}

function row({ name, default: value, description }: Setting<unknown>): string {
  return `| \`${name}\` | ${value ? `\`${value}\`` : ''} | ${description} |`
}

if (import.meta.main) writeFileSync(readme, withSettingsTable(readFileSync(readme, 'utf8')))
