import { expect, test } from 'vitest'
import { graphOf } from '../../test/quantized-graphs.js'
import { bytesOf } from '../../test/small-models.js'
import { elements, f32 } from '../ir/tensor.js'
import { openEngine } from './node/open.js'

test('inputs that are lent are gone and come back, those that share their memory or are not lent, stay', async () => {
  const engine = await openEngine({ threads: 1 })
  const session = await engine.load(bytesOf(graphOf([2], (_, x) => [x])))
  const [given, kept, shared] = [Float32Array.of(1, 2), Float32Array.of(1, 2), Float32Array.of(1, 2, 3)]
  const answers = [
    await session.run({ x: f32([2], given) }, { lend: ['x'] }),
    await session.run({ x: f32([2], kept) }),
    await session.run({ x: f32([2], shared.subarray(0, 2)) }, { lend: ['x'] }),
  ]
  await expect(session.run({ x: f32([2], kept) }, { lend: ['y0'] })).rejects.toMatchObject({ code: 'ENGINE_FEEDS' })
  await engine.close()
  for (const { y0 } of answers) expect([...elements(y0!)]).toEqual([-1, -2])
  expect(answers.map(({ x }) => x && [...elements(x)])).toEqual([[1, 2], undefined, [1, 2]])
  expect([given.length, kept.length, shared.length]).toEqual([0, 2, 3])
})
