import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { network } from '../../../test/networks.js'
import { randomFeeds } from '../../../test/random-feeds.js'
import type { Engine } from '../../engine/engine.js'
import { openEngine } from '../../engine/node/open.js'
import { numbers } from '../../ir/tensor.js'
import type { Model } from '../../ir/types.js'
import { encodeModel } from '../../onnx/codec.js'
import { random } from '../../util/random.js'
import { cutUnits } from './cut.js'
import { findGroups, type Unit } from './groups.js'
import { maskUnits } from './mask.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

async function outputs(model: Model) {
  const session = await engine.load(encodeModel(model).bytes, { optimization: 'off' })
  try {
    return Object.values(await session.run(randomFeeds(session.inputs)))
  } finally {
    await session.close()
  }
}

/** Half of the units of each group, or all but one or two; never all. */
function someUnits(model: Model, seed: number): readonly Unit[] {
  const r = random(seed)
  const share = seed % 2 === 0 ? 0.5 : 0.9
  return findGroups(model).groups.flatMap(({ units }) => {
    const kept = r.integer(units.length)
    return units.filter((_, i) => i !== kept && r.uniform() < share)
  })
}

/** Largest difference of two lists, relative to the largest of their elements. */
function difference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [most, scale] = [0, 1e-30]
  for (let i = 0; i < b.length; i++) {
    most = Math.max(most, Math.abs(a[i]! - b[i]!))
    scale = Math.max(scale, Math.abs(b[i]!))
  }
  return most / scale
}

test('any closed set of cuts gives a valid model that computes what the masked one does', async () => {
  let cuts = 0
  await fc.assert(
    fc.asyncProperty(network, fc.nat({ max: 1000 }), async (model, seed) => {
      const units = someUnits(model, seed)
      cuts += units.length
      const [got, wanted] = [await outputs(cutUnits(model, units)), await outputs(maskUnits(model, units))]
      for (const [i, t] of wanted.entries()) {
        expect(got[i]!.shape).toEqual(t.shape)
        expect(difference(numbers(got[i]!), numbers(t))).toBeLessThan(1e-5)
      }
    }),
    { numRuns: 120, seed: 7 },
  )
  expect(cuts).toBeGreaterThan(500)
})
