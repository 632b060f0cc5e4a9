/** A short version of the character transformer. */

import { expect, test } from 'vitest'
import { dataPath } from '../test/data.js'
import { shakespeare } from './shakespeare.js'

const file = dataPath('text/tinyshakespeare.txt')

test.skipIf(file === null)(
  'a small transformer learns more than how often letters are',
  async () => {
    const small = { context: 32, width: 32, depth: 1, heads: 2 }
    const nats = await shakespeare({ file: file!, epochs: 2, limit: 60_000, shape: small })
    // The entropy of single characters is 3.3 nats.
    expect(nats).toBeLessThan(2.7)
  },
  120_000,
)
