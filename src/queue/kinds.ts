import { z } from 'zod'

/** Every kind of job and the shape of its payload, checked when a job is read back. */
export const jobPayloads = {
  /** Make an image's renditions. */
  'image.convert': z.object({ imageId: z.string() }),
  /** Remove objects that no record names any more. */
  'storage.remove': z.object({ keys: z.array(z.string()) }),
}

export type JobKind = keyof typeof jobPayloads
export type JobPayloads = { [K in JobKind]: z.infer<(typeof jobPayloads)[K]> }
