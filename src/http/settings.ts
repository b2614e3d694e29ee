import { parseBoolean, parseHttpUrl, parseInteger, parseOneOf, type Setting } from '../settings.ts'

export type DeliveryMode = 'proxy' | 'redirect'

export const httpSettings = {
  port: {
    name: 'PORT',
    default: '8080',
    expected: 'a port number from 0 (any free one) to 65535',
    description: 'Where it listens.',
    parse: parseInteger(0, 65_535),
  } satisfies Setting<number>,
  host: {
    name: 'HOST',
    default: '127.0.0.1',
    expected: 'an address or host name of this machine',
    description: 'The address it listens on; the container sets `0.0.0.0`.',
    parse: (raw) => (/^[\w.:-]+$/.test(raw) ? raw : undefined),
  } satisfies Setting<string>,
  publicUrl: {
    name: 'PUBLIC_URL',
    expected: 'an http or https URL',
    description: 'What clients call this server; unset: the URLs in answers are relative.',
    parse: parseHttpUrl,
  } satisfies Setting<string>,
  trustProxy: {
    name: 'TRUST_PROXY',
    default: 'false',
    expected: 'true or false',
    description:
      'Whether a proxy in front says what clients call this server (`X-Forwarded-Proto`, `X-Forwarded-Host`); without one clients could say so themselves.',
    parse: parseBoolean,
  } satisfies Setting<boolean>,
  corsOrigins: {
    name: 'CORS_ORIGINS',
    expected: 'origins such as https://app.example.com, separated by commas',
    description: 'Web origins that may call this server; unset: every one, but for what admins do.',
    parse: parseOrigins,
  } satisfies Setting<string[]>,
  delivery: {
    name: 'DELIVERY',
    default: 'proxy',
    expected: '"proxy", or "redirect" to send clients to the bucket',
    description:
      'How originals and renditions get to clients: `proxy` passes their bytes on; `redirect` answers with a link to the bucket (`S3_BUCKET`), at `S3_ENDPOINT` as it is set here, good for five minutes.',
    parse: parseOneOf('proxy', 'redirect'),
  } satisfies Setting<DeliveryMode>,
}

function parseOrigins(raw: string): string[] | undefined {
  const origins = raw.split(',').map((part) => part.trim())
  return origins.every((origin) => URL.parse(origin)?.origin === origin) ? origins : undefined
}
