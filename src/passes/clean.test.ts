import { describe, expect, it } from 'vitest'
import { opsOf, passTester, small } from '../../test/check-pass.js'
import { float, graphAttr } from '../ir/attrs.js'
import { builder } from '../ir/builder.js'
import { f32, i64, tensor } from '../ir/tensor.js'
import type { Model } from '../ir/types.js'
import { cleanModel } from './clean.js'
import { foldConstants } from './fold-constants.js'
import { freezeDefaults } from './freeze-defaults.js'
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

describe('freeze-defaults', () => {
  it('makes constants of inputs with a default, and keeps the others', async () => {
    const model = small(17, { x: ['float32', [2]] }, (b) => [b.op('Add', ['x', b.constant(f32([2], [1, 2]), 'w')])])
    const values = new Map(model.graph.values).set('w', { kind: 'tensor', dtype: 'float32', shape: [2] } as const)
    const open = { ...model, graph: { ...model.graph, inputs: ['x', 'w'], values } }
    const next = await check(freezeDefaults, open)
    expect(next.graph.inputs).toEqual(['x'])
    const old = await check(freezeDefaults, { ...open, irVersion: 3, opsets: new Map([['', 8]]) })
    expect([old.irVersion, old.graph.inputs]).toEqual([4, ['x']])
  })
})

describe('cleanModel', () => {
  it('lets passes make room for one another', async () => {
    const next = await check(clean, exported(), { tolerance: 1e-5 })
    expect(opsOf(next)).toEqual(['Conv', 'Reshape'])
    expect(next.graph.constants.size).toBe(3)
  })

  it('cleans the body of a Loop, which captures values and hands some on', async () => {
    const model = small(17, { x: ['float32', [2]] }, (b) => {
      const h = b.op('Identity', [b.op('Neg', ['x'])], { outputs: ['h'] })
      const body = builder(['h'])
      body.input('i', { kind: 'tensor', dtype: 'int64', shape: [] })
      body.input('cond', { kind: 'tensor', dtype: 'bool', shape: [] })
      body.input('state', { kind: 'tensor', dtype: 'float32', shape: null })
      body.output(body.op('Identity', ['cond'], { outputs: ['goes_on'] }))
      const two = body.op('Add', [body.constant(f32([1], [1]), 'one'), body.constant(f32([1], [1]), 'same')])
      const next = body.op('Mul', [body.op('Add', ['state', 'h']), two])
      body.output(body.op('Identity', [next], { outputs: ['next'] }))
      body.output(body.op('Identity', ['state'], { outputs: ['seen'] }))
      const ends = b.ops('Loop', [b.constant(i64([], [3])), b.constant(tensor('bool', [], Uint8Array.of(1))), h], {
        outputs: 2,
        attrs: { body: graphAttr(body.graph('body')) },
      })
      return [...ends]
    })
    // A body runs under a true condition only, so that the condition it hands on is a constant.
    expect(opsOf(await check(clean, model))).toEqual(['Constant', 'Add', 'Mul', 'Identity', 'Neg', 'Loop'])
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
    const cause = expect.objectContaining({ message: 'enough' })
    const stopped = { ...env, signal: controller.signal }
    await expect(cleanModel(exported(), stopped)).rejects.toMatchObject({ code: 'ABORTED', cause })
    await expect(foldConstants.run(exported(), stopped)).rejects.toMatchObject({ code: 'ABORTED', cause })
  })

  it('lets a signal come in between passes that never wait', async () => {
    const controller = new AbortController()
    let runs = 0
    const busy: Pass = {
      name: 'busy',
      run: async (model) => {
        if (++runs === 1) setTimeout(() => controller.abort())
        return { ...model }
      },
    }
    const stopped = cleanModel(exported(), { ...env, signal: controller.signal }, { passes: [busy, busy] })
    await expect(stopped).rejects.toMatchObject({ code: 'ABORTED' })
    expect(runs).toBeLessThan(16)
  })
})
