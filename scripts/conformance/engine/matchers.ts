/** What a header's value may have to be, beside a fixed text. */
import { parseDictionary } from './dictionary.ts'
import type { HeaderRule, Matcher } from './row.ts'

export const present: Matcher = {
  wanted: 'present',
  accepts: (value) => value !== undefined,
}

export const absent: Matcher = {
  wanted: 'absent',
  accepts: (value) => value === undefined,
}

export const matches = (pattern: RegExp, wanted: string): Matcher => ({
  wanted,
  accepts: (value) => value !== undefined && pattern.test(value),
})

export const not = (text: string): Matcher => ({
  wanted: `not ${text}`,
  accepts: (value, expand) => value !== expand(text),
})

/** Absent, or as the rule says. */
export const optional = (rule: HeaderRule): Matcher => ({
  wanted: `absent or ${typeof rule === 'string' ? rule : rule.wanted}`,
  accepts: (value, expand) =>
    value === undefined ||
    (typeof rule === 'string' ? value === expand(rule) : rule.accepts(value, expand)),
})

/** A comma-separated list that has all of these, in whatever case. */
export const lists = (...members: readonly string[]): Matcher => ({
  wanted: `a list with ${members.join(', ')}`,
  accepts(value, expand) {
    const found = new Set(value?.split(',').map((member) => member.trim().toLowerCase()))
    return members.every((member) => found.has(expand(member).toLowerCase()))
  },
})

/** As `lists`, but `*` stands for everything. */
export const listsOrAny = (...members: readonly string[]): Matcher => {
  const list = lists(...members)
  return {
    wanted: `* or ${list.wanted}`,
    accepts: (value, expand) => value?.trim() === '*' || list.accepts(value, expand),
  }
}

export const wholeNumber = matches(/^\d+$/, 'a whole number')

export const atLeast = (text: string): Matcher => ({
  wanted: `${text} or more`,
  accepts: (value, expand) =>
    value !== undefined && /^\d+$/.test(value) && Number(value) >= Number(expand(text)),
})

export const atMost = (text: string): Matcher => ({
  wanted: `${text} or less`,
  accepts: (value, expand) =>
    value !== undefined && /^\d+$/.test(value) && Number(value) <= Number(expand(text)),
})

/** The one form of a time that HTTP lets be sent (RFC 9110, 5.6.7). */
export const httpDate: Matcher = {
  wanted: 'a time such as "Sun, 06 Nov 1994 08:49:37 GMT"',
  accepts: (value) =>
    value !== undefined &&
    !Number.isNaN(Date.parse(value)) &&
    new Date(Date.parse(value)).toUTCString() === value,
}

export const futureDate: Matcher = {
  wanted: 'a time to come',
  // A second of grace: the header has whole seconds.
  accepts: (value) => value !== undefined && Date.parse(value) >= Date.now() - 1000,
}

/** A structured dictionary (RFC 9651), not empty, all of whose values are integers. */
export const limits: Matcher = {
  wanted: 'a dictionary of integers that is not empty',
  accepts: (value) => (parseDictionary(value)?.size ?? 0) > 0,
}

export const hasMember = (key: string): Matcher => ({
  wanted: `a dictionary with ${key}`,
  accepts: (value) => parseDictionary(value)?.has(key) ?? false,
})

export const lacksMember = (key: string): Matcher => ({
  wanted: `a dictionary without ${key}`,
  accepts: (value) => parseDictionary(value)?.has(key) === false,
})

export const memberAtLeast = (key: string, text: string): Matcher => ({
  wanted: `${key} of ${text} or more`,
  accepts(value, expand) {
    const found = parseDictionary(value)?.get(key)
    return found !== undefined && found >= Number(expand(text))
  },
})

export const memberIs = (key: string, text: string): Matcher => ({
  wanted: `${key} of ${text}`,
  accepts: (value, expand) => String(parseDictionary(value)?.get(key)) === expand(text),
})

/** Seconds from now that end no earlier than a moment that was kept, give or take rounding. */
export const lifetimeUntil = (key: string, moment: string): Matcher => ({
  wanted: `a dictionary whose ${key} ends no earlier than before`,
  accepts(value, expand) {
    const seconds = parseDictionary(value)?.get(key)
    return seconds !== undefined && Date.now() / 1000 + seconds >= Number(expand(moment)) - 2
  },
})
