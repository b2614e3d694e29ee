/** The rows of a seeded database, as the program would have written them for real images. */
import { defaultPresets } from '../../../src/conversion/presets.ts'
import { wantedOf } from '../../../src/images/wanted.ts'
import { renditionKey } from '../../../src/storage/keys.ts'
import { commentsPerPost, hex, mixed, type Names, ownerOf, popular } from './names.ts'

export type Row = readonly (string | number | null)[]

/** A table, its columns, and what is written for each number from 0. */
export interface SeedTable {
  readonly name: string
  readonly columns: readonly string[]
  readonly count: number
  rows(number: number): readonly Row[]
}

const photo = { width: 4_032, height: 3_024, size: 3_400_000 }

const phrases = [
  'Where was this? I want to go there as well.',
  'The light is wonderful in this one.',
  'Like the first one better, but this is good, too. Keep them coming!',
  'Ha, I know that place. We were there in the rain, all three days of it.',
  '😍😍',
  'What lens is that? Mine is never as sharp as this in the corners.',
]

/** In the order they are to be written in: the comments first, as they say how many a post has. */
export function seedTables(names: Names): SeedTable[] {
  const commentCounts = new Uint32Array(names.posts.count)
  return [
    commentsTable(names, commentCounts),
    postsTable(names, commentCounts),
    uploadsTable(names),
    imagesTable(names),
    renditionsTable(names),
  ]
}

function commentsTable({ posts, comments }: Names, commentCounts: Uint32Array): SeedTable {
  const postIds = Array.from({ length: posts.count }, (_, number) => posts.id(number))
  return {
    name: 'comments',
    columns: ['id', 'post_id', 'owner', 'text', 'created_at'],
    count: comments.count,
    rows(number) {
      const chance = mixed(number)
      const post = popular(posts.count, chance / 2 ** 32)
      commentCounts[post] = (commentCounts[post] ?? 0) + 1
      const text = phrases[chance % phrases.length] ?? ''
      const createdAt = comments.createdAt(number)
      return [[comments.id(number), postIds[post] ?? '', ownerOf(number), text, createdAt]]
    },
  }
}

function postsTable({ images, posts }: Names, commentCounts: Uint32Array): SeedTable {
  return {
    name: 'posts',
    columns: ['id', 'owner', 'image_id', 'caption', 'comment_count', 'created_at'],
    count: posts.count,
    rows: (number) => {
      const caption = `Day ${number % commentsPerPost}. ${phrases[number % phrases.length]} #travel #light`
      const comments = commentCounts[number] ?? 0
      const made = posts.createdAt(number)
      return [[posts.id(number), ownerOf(number), images.id(number), caption, comments, made]]
    },
  }
}

function uploadsTable({ images }: Names): SeedTable {
  return {
    name: 'uploads',
    columns: [
      'id',
      'owner',
      'dialect',
      'length',
      'offset',
      'filename',
      'content_type',
      'state',
    ].concat(['sha256', 'created_at', 'updated_at', 'stored_at']),
    count: images.count,
    rows: (number) => {
      const made = images.createdAt(number)
      const size = photo.size + number
      const is = ['tus', size, size, fileName(number), 'image/jpeg', 'stored', sha256(number)]
      return [[images.id(number), ownerOf(number), ...is, made, made + 900, made + 1_000]]
    },
  }
}

function imagesTable({ images }: Names): SeedTable {
  return {
    name: 'images',
    columns: ['id', 'owner', 'state', 'filename', 'content_type', 'format', 'size', 'width'].concat(
      ['height', 'sha256', 'thumbhash', 'color', 'exif', 'created_at', 'finished_at'],
    ),
    count: images.count,
    rows: (number) => {
      const made = images.createdAt(number)
      const file = ['ready', fileName(number), 'image/jpeg', 'jpeg', photo.size + number]
      const looks = [photo.width, photo.height, sha256(number), '1QcSHQRnh493V4dIh4eXh1h4kJUI']
      const rest = [`#${hex(mixed(number) % 0xffffff, 6)}`, exifOf(made), made, made + 4_000]
      return [[images.id(number), ownerOf(number), ...file, ...looks, ...rest]]
    },
  }
}

/** What a photo of a phone gets, in the order of the table's key. */
function renditionsTable({ images }: Names): SeedTable {
  const made = wantedOf(defaultPresets).flatMap(({ preset, fingerprint }) => {
    const { width = 1, formats = [] } = defaultPresets.find(({ name }) => name === preset) ?? {}
    return formats.map((format) => ({ preset, format, width, fingerprint }))
  })
  made.sort((a, b) => (`${a.preset} ${a.format}` < `${b.preset} ${b.format}` ? -1 : 1))
  return {
    name: 'renditions',
    columns: ['image_id', 'preset', 'format', 'content_type', 'width', 'height', 'size'].concat([
      ...['storage_key', 'etag', 'frames', 'revision', 'fingerprint'],
    ]),
    count: images.count,
    rows: (number) => {
      const id = images.id(number)
      const once = hex(mixed(number), 12)
      return made.map(({ preset, format, width, fingerprint }) => {
        const height = Math.round((width * photo.height) / photo.width)
        const key = renditionKey(id, `${preset}-${fingerprint}${once}`, format)
        const is = [preset, format, `image/${format}`, width, height, (width * height) >> 3]
        return [id, ...is, key, sha256(number + width), 1, 1, fingerprint]
      })
    },
  }
}

function fileName(number: number): string {
  return `IMG_${number % 10_000}.jpg`
}

function sha256(number: number): string {
  return Array.from({ length: 8 }, (_, word) => hex(mixed(number * 8 + word), 8)).join('')
}

function exifOf(time: number): string {
  const at = new Date(time).toISOString().slice(0, 19)
  return JSON.stringify({
    Image: { Make: 'Apple', Model: 'iPhone 15 Pro', Software: '17.4', DateTime: at },
    Photo: {
      ...{ DateTimeOriginal: at, ExposureTime: 0.004, FNumber: 1.78, ISOSpeedRatings: 80 },
      ...{ FocalLength: 6.86, FocalLengthIn35mmFilm: 24, LensMake: 'Apple', Flash: 16 },
    },
    GPSInfo: { GPSLatitude: [47, 22, 31.2], GPSLongitude: [8, 32, 29.4] },
  })
}
