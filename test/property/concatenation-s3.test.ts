import { describe } from 'vitest'
import { describeConcatenations } from './support/concatenations-suite.ts'
import { places } from './support/landfall.ts'

describe.each(places.filter(({ backend }) => backend.name === 's3'))('on $name', (place) =>
  describeConcatenations(place, { runs: 5, large: 20 }),
)
