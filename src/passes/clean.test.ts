import { describe, expect, it } from 'vitest'
import { opsOf, passTester, small } from '../../test/check-pass.js'
import { float } from '../ir/attrs.js'
import { f32, i64 } from '../ir/tensor.js'
import type { Model } from '../ir/types.js'
import { cleanModel } from './clean.js'
import type { Pass } from './pass.js'

const { check, env } = passTester()
const clean: Pass = { name: 'clean', run: (model, e) => cleanModel(model, e) }

/** Conv, BatchNormalization of computed scales, a Reshape to a computed shape, a dead branch. */
function exported(): Model {
  return small(17, { x: ['float32', [1, 2, 4, 4]] }, (b) => {
    const four = (v: number) => b.constant(f32([4], [v, v + 1, v + 2, v + 3]))
    const conv = b.op('Conv', ['x', b.constant(f32([4, 2, 1, 1], [1, 2, 3, 4, 5, 6, 7, 8]), 'weight')])
    const norm = b.op(
      'BatchNormalization',
      [b.op('Identity', [conv]), b.op('Neg', [four(1)]), four(2), four(3), four(4)],
      {
        attrs: { epsilon: float(1e-3) },
      },
    )
    b.op('Relu', [norm])
    const size = b.op('Gather', [b.op('Shape', ['x']), b.constant(i64([1], [0]))])
    const shape = b.op('Concat', [size, b.constant(i64([1], [-1]))], { attrs: { axis: { type: 'int', value: 0n } } })
    return [b.op('Reshape', [norm, shape])]
  })
}

describe('cleanModel', () => {
  it('lets passes make room for one another', async () => {
    const next = await check(clean, exported(), { tolerance: 1e-5 })
    expect(opsOf(next)).toEqual(['Conv', 'Reshape'])
    expect(next.graph.constants.size).toBe(3)
  })

  it('keeps inputs with a default as inputs where asked', async () => {
    const model = exported()
    const values = new Map(model.graph.values).set('weight', {
      kind: 'tensor',
      dtype: 'float32',
      shape: [4, 2, 1, 1],
    } as const)
    const open = { ...model, graph: { ...model.graph, inputs: ['x', 'weight'], values } }
    const kept = await cleanModel(open, env, { keepDefaults: true })
    expect(kept.graph.inputs).toEqual(['x', 'weight'])
    expect(opsOf(kept)).toEqual(['Conv', 'BatchNormalization', 'Reshape'])
    expect((await cleanModel(open, env)).graph.inputs).toEqual(['x'])
  })

  it('gives back the model itself rather than a larger one', async () => {
    const grow: Pass = {
      name: 'grow',
      run: async (model) => ({ ...model, metadata: new Map(model.metadata).set(`${model.metadata.size}`, 'x') }),
    }
    const model = exported()
    expect(await cleanModel(model, env, { passes: [grow] })).toBe(model)
  })

  it('stops when told to', async () => {
    const controller = new AbortController()
    controller.abort(new Error('enough'))
    await expect(cleanModel(exported(), { ...env, signal: controller.signal })).rejects.toThrow('enough')
  })
})
