/** Inputs as samples, for tests. */

import type { Samples } from '../src/data/samples.js'
import type { Feeds } from '../src/engine/engine.js'

export const samplesOf = (feeds: readonly Feeds[]): Samples => ({
  name: 'test',
  count: feeds.length,
  async *read() {
    for (const [i, feed] of feeds.entries()) yield { feeds: feed, name: `sample ${i}` }
  },
})
