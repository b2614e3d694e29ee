import { randomUUIDv7 } from 'node:crypto'

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** A UUIDv7 (RFC 9562): ids sort by the time they were made. */
export function newId(): string {
  return randomUUIDv7()
}

/** Whether a string a client sent can be one of our ids; nothing else is ever looked up. */
export function isId(text: string): boolean {
  return uuid.test(text)
}
