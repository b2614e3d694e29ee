import { parseOneOf, type Setting } from '../settings.ts'

export type AuthMode = 'off' | 'off,off'

export const authSettings = {
  mode: {
    name: 'AUTH',
    default: 'off',
    expected: '"off", or "off,off" to leave it off on an address that others can reach',
    description:
      '`off`: everybody is one local user; only on a loopback address. `off,off` asks for it twice, for any address.',
    parse: parseOneOf('off', 'off,off'),
  } satisfies Setting<AuthMode>,
}
