import { randomUUIDv7 } from 'node:crypto'

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** A UUIDv7 (RFC 9562): ids sort by the time they were made. */
export function newId(): string {
  return randomUUIDv7()
}

/** The lowest id that can be made at a moment, in milliseconds since 1970. */
export function firstIdAt(ms: number): string {
  const time = Math.max(0, Math.floor(ms)).toString(16).padStart(12, '0')
  return `${time.slice(0, 8)}-${time.slice(8, 12)}-7000-8000-000000000000`
}

/** Whether a string a client sent can be one of our ids; nothing else is ever looked up. */
export function isId(text: string): boolean {
  return uuid.test(text)
}
