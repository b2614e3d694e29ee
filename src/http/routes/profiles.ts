import { createRoute, z } from '@hono/zod-openapi'
import type { Queries } from '../../database/database.ts'
import { findImage } from '../../images/records.ts'
import type { Avatars } from '../../profiles/avatars.ts'
import { userOf } from '../access.ts'
import {
  answerUnsettled,
  createChoice,
  createSizing,
  type Presets,
  sendChosen,
} from '../choose-rendition.ts'
import type { Deliver } from '../content.ts'
import { notFound } from '../problem.ts'
import { delivered, deliveryFields, empty, errors, json, later, problem } from '../responses.ts'
import { createRouter } from '../router.ts'
import { avatarSchema, notReadySchema } from '../schemas.ts'
import type { Views } from '../views.ts'

export interface ProfileRouteDependencies {
  readonly queries: Queries
  readonly avatars: Avatars
  readonly deliver: Deliver
  readonly presets: Presets
  readonly views: Views
}

const tags = ['Profiles']

const set = createRoute({
  method: 'put',
  path: '/v1/me/avatar',
  operationId: 'setAvatar',
  tags,
  summary: 'Make an image of mine my picture, in place of the one before',
  description:
    'Every user may see it then, in what was made of the image; the image itself stays mine alone. The image before stays what it is.',
  request: {
    body: {
      required: true,
      content: { 'application/json': { schema: z.object({ imageId: z.uuid() }) } },
    },
  },
  responses: {
    200: json(avatarSchema, 'The picture, and where it is'),
    ...errors(400),
    404: problem('I have no such image'),
  },
})

const unset = createRoute({
  method: 'delete',
  path: '/v1/me/avatar',
  operationId: 'removeAvatar',
  tags,
  summary: 'Have no picture any more',
  description: 'Its image stays.',
  responses: { 204: empty('There is none') },
})

const read = createRoute({
  method: 'get',
  path: '/v1/users/{id}/avatar',
  operationId: 'getAvatar',
  tags,
  summary: 'The bytes of the picture of a user',
  description:
    'What was made of the image in the smallest preset that can fill a square of `size` without being enlarged, else in the largest. Where that has several formats, `Accept` decides. Answers HEAD, `Range` and conditional requests; what is kept of it is to be asked for again each time.',
  parameters: deliveryFields,
  request: {
    // Nobody is called by what PostgreSQL cannot be asked for.
    params: z.object({
      id: z
        .string()
        .min(1)
        .max(255)
        .refine((text) => !/\p{Cc}/u.test(text))
        .openapi({ description: 'The `sub` of their tokens.', example: 'demo' }),
    }),
    query: z.object({
      size: z.coerce.number().int().min(1).max(4_096).optional().openapi({
        description: 'Pixels of a side of the square; left out: the smallest there is.',
      }),
    }),
  },
  responses: {
    ...delivered('image/*', 'The picture'),
    202: later(notReadySchema, 'Not converted yet; try again after `Retry-After` seconds'),
    ...errors(400),
    404: problem('The user has no picture, or nobody is called so'),
    422: problem('The image cannot be converted; `code` and `detail` say why'),
  },
})

export function profileRoutes(dependencies: ProfileRouteDependencies) {
  const { queries, avatars, deliver, presets, views } = dependencies
  const choose = createChoice(presets)
  const presetFor = createSizing(presets)

  /** @throws AppError `avatar-not-found` (404), also when the image went between two looks. */
  async function findPicture(userId: string) {
    const imageId = await avatars.find(userId)
    const image = imageId === undefined ? undefined : await findImage(queries, imageId)
    if (!image) throw notFound('avatar')
    return image
  }

  return createRouter()
    .openapi(set, async (c) => {
      const userId = userOf(c).id
      const { imageId } = c.req.valid('json')
      if (!(await avatars.set(userId, imageId))) throw notFound('image')
      return c.json({ userId, imageId, url: views.avatarUrl(userId) }, 200)
    })
    .openapi(unset, async (c) => {
      await avatars.unset(userOf(c).id)
      return c.body(null, 204)
    })
    .openapi(read, async (c) => {
      const { id } = c.req.valid('param')
      const { size } = c.req.valid('query')
      const look = async () => {
        const image = await findPicture(id)
        const unsettled = answerUnsettled(c, image)
        if (unsettled) return unsettled
        const preset = presetFor(image.renditions, size)
        if (preset === undefined) throw notFound('avatar')
        return choose(c, image, { preset })
      }
      // Another picture may be there the next time.
      return sendChosen(look, (one) => deliver(c, { ...one, lasting: false }))
    })
}
