/** The only reader of the environment: every setting, joined from the folders that own them. */
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { type AuthConfig, authConfig, authSettings } from './auth/settings.ts'
import type { Preset } from './conversion/contract.ts'
import { defaultPresets } from './conversion/presets.ts'
import { readPresetsFile } from './conversion/presets-file.ts'
import { conversionSettings } from './conversion/settings.ts'
import type { DatabaseTarget } from './database/database.ts'
import { databaseSettings } from './database/settings.ts'
import { httpSettings } from './http/settings.ts'
import { operationsSettings } from './operations/settings.ts'
import {
  type Environment,
  readSettings,
  type Setting,
  SettingError,
  type Settings,
  type Values,
} from './settings.ts'
import { storageSettings } from './storage/settings.ts'
import { limitSettings } from './uploads/limits/settings.ts'
import { uploadSettings } from './uploads/settings.ts'

const dataSettings = {
  directory: {
    name: 'DATA_DIR',
    default: './data',
    expected: 'a directory that can be written',
    description: 'SQLite, the objects when no bucket is set, and work files of conversions.',
    parse: (raw) => raw,
  } satisfies Setting<string>,
}

/** Every setting there is, in the order of the README's table. */
export const settingGroups: readonly Settings[] = [
  httpSettings,
  authSettings,
  dataSettings,
  databaseSettings,
  storageSettings,
  uploadSettings,
  limitSettings,
  conversionSettings,
  operationsSettings,
]

export interface Config {
  readonly http: Values<typeof httpSettings>
  readonly auth: AuthConfig
  readonly dataDirectory: string
  readonly database: DatabaseTarget
  readonly storage: Values<typeof storageSettings>
  readonly uploads: Values<typeof uploadSettings>
  readonly limits: Values<typeof limitSettings>
  readonly conversion: {
    readonly concurrency: number
    readonly memory: number
    readonly presets: readonly Preset[]
  }
  readonly operations: Values<typeof operationsSettings>
}

/**
 * Reads the whole configuration.
 * @throws SettingError with the one line that names the setting, its value and what was expected.
 */
export function loadConfig(env: Environment = process.env): Config {
  const { directory } = readSettings(dataSettings, env)
  const { url } = readSettings(databaseSettings, env)
  const { presetsFile, ...conversion } = readSettings(conversionSettings, env)
  const config: Config = {
    http: readSettings(httpSettings, env),
    auth: authConfig(readSettings(authSettings, env)),
    dataDirectory: directory,
    database: url
      ? { kind: 'postgres', url }
      : { kind: 'sqlite', file: join(directory, 'landfall.db') },
    storage: readSettings(storageSettings, env),
    uploads: readSettings(uploadSettings, env),
    limits: readSettings(limitSettings, env),
    conversion: {
      ...conversion,
      concurrency: conversion.concurrency ?? availableParallelism(),
      presets: presetsFile
        ? readPresetsFile(conversionSettings.presetsFile.name, presetsFile)
        : defaultPresets,
    },
    operations: readSettings(operationsSettings, env),
  }
  checkAuth(config)
  checkStorage(config)
  checkDelivery(config)
  return config
}

function checkAuth({ http, auth }: Config): void {
  const loopback = /^(localhost|127(\.\d{1,3}){3}|::1)$/.test(http.host)
  if (!loopback && auth.mode === 'off') {
    throw new SettingError(
      'AUTH',
      auth.mode,
      `jwt, or off,off while HOST=${http.host}, as others can reach it`,
    )
  }
}

/** An endpoint without a bucket would store on disk while its owner believes otherwise. */
function checkStorage({ storage }: Config): void {
  if (storage.endpoint && !storage.bucket) {
    throw new SettingError('S3_ENDPOINT', storage.endpoint, 'S3_BUCKET to be set as well')
  }
}

function checkDelivery({ http: { delivery }, storage }: Config): void {
  if (delivery === 'redirect' && !storage.bucket) {
    throw new SettingError('DELIVERY', delivery, 'S3_BUCKET to be set as well')
  }
}
