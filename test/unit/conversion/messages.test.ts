import { expect, it } from 'vitest'
import { replySchema } from '../../../src/conversion/messages.ts'

const rendition = {
  ...{ preset: 'box', format: 'webp', width: 10, height: 10, frames: 1, size: 100 },
  sha256: '0'.repeat(64),
}
const converted = (over: object) => ({
  ...{
    type: 'converted',
    format: 'jpeg',
    width: 20,
    height: 20,
    exif: null,
    thumbhash: 'aGFzaA==',
  },
  ...{ color: '#102030', renditions: [{ ...rendition, ...over }] },
})

it('a rendition is an image, whatever the process that made it says', () => {
  expect(replySchema.safeParse(converted({ contentType: 'image/webp' })).success).toBe(true)
  expect(replySchema.safeParse(converted({ contentType: 'text/html' })).success).toBe(false)
  expect(replySchema.safeParse(converted({ contentType: 'image/svg+xml' })).success).toBe(false)
})

it('a rendition is in the directory of its job', () => {
  const away = { contentType: 'image/webp', preset: '../../landfall' }
  expect(replySchema.safeParse(converted(away)).success).toBe(false)
})
