import { describe } from 'vitest'
import { places } from './support/landfall.ts'
import { describeUploads } from './support/uploads-suite.ts'

describe.each(places.filter(({ backend }) => backend.name === 's3'))('on $name', (place) =>
  describeUploads(place, { any: 10, large: 5 }),
)
