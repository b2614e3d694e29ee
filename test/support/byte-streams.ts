/** What can happen to bytes on their way. */
import { Transform, type TransformCallback } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'

/** Passes every byte on, with the lowest bit of the one at `position` turned over. */
export function flipByteAt(position: number): Transform {
  let passed = 0
  return transform((chunk) => {
    const at = position - passed
    passed += chunk.length
    if (at < 0 || at >= chunk.length) return chunk
    const flipped = Buffer.from(chunk)
    flipped.writeUInt8(flipped.readUInt8(at) ^ 1, at)
    return flipped
  })
}

/** Passes the first bytes on and calls `onCut` once they are through; the rest is swallowed. */
export function cutAfter(bytes: number, onCut: () => void): Transform {
  let left = bytes
  let cut = false
  return transform((chunk) => {
    const passed = chunk.subarray(0, left)
    left -= passed.length
    if (left === 0 && !cut) {
      cut = true
      setImmediate(onCut)
    }
    return passed
  })
}

/** Passes bytes on no faster than this. */
export function limitRate(bytesPerSecond: number): Transform {
  return transform(async (chunk) => {
    await delay((chunk.length / bytesPerSecond) * 1_000)
    return chunk
  })
}

function transform(change: (chunk: Buffer) => Buffer | Promise<Buffer>): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done: TransformCallback) {
      Promise.resolve(change(chunk)).then((changed) => done(null, changed), done)
    },
  })
}
