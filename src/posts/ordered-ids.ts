import { newId } from '../ids.ts'

/** Of 62 random bits behind the moment: those that are counted up. */
const randomBits = 62n
const mostStep = 2 ** 16

/**
 * Makes ids of which each is greater than those before it, also within a millisecond and when the
 * clock is set back: the monotonic random of RFC 9562, section 6.2, method 2. Those of other
 * processes come in between by their clock.
 */
export function createOrderedIds(): () => string {
  let last = ''
  return () => {
    const fresh = newId()
    last = fresh > last ? fresh : after(last)
    return last
  }
}

function after(id: string): string {
  const text = id.replaceAll('-', '')
  const random = BigInt.asUintN(Number(randomBits), BigInt(`0x${text}`))
  const step = BigInt(1 + Math.floor(Math.random() * mostStep))
  const next = BigInt(`0x${text}`) - random + BigInt.asUintN(Number(randomBits), random + step)
  const hex = next.toString(16).padStart(32, '0')
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join('-')
}
