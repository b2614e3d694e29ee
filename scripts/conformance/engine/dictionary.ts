/**
 * A structured dictionary (RFC 9651) whose values are integers, as Upload-Limit is; undefined for
 * anything else. Parameters are read over.
 */
export function parseDictionary(value: string | undefined): Map<string, number> | undefined {
  if (value === undefined) return undefined
  const members = new Map<string, number>()
  for (const member of value.split(',')) {
    const [, key, number] = /^\s*([a-z*][a-z0-9_.*-]*)=(-?\d{1,15})(?:;.*)?\s*$/.exec(member) ?? []
    if (key === undefined || number === undefined) return undefined
    members.set(key, Number(number))
  }
  return members
}
