import { describe, expect, test } from 'vitest'
import { weights } from '../../test/compress-models.js'
import { value } from '../../test/small-models.js'
import { builder, modelOf } from '../ir/builder.js'
import { f32 } from '../ir/tensor.js'
import { planRecipes } from './recipes.js'

const b = builder()
b.input('x', value('float32', [4, 64]))
b.output(b.op('MatMul', ['x', b.constant(weights([64, 64], 1), 'w')]), value('float32', null))
const model = modelOf(b.graph())
const rest = { calibrated: true, portable: false, objective: 'size', activations: 'uint8' } as const

describe('weights of 4 bits', () => {
  test('are tried where quality can be measured', () => {
    const names = planRecipes(model, { ...rest, judged: true }).map((r) => r.name)
    expect(names).toEqual(expect.arrayContaining(['stored int4', 'int4 blocks']))
  })

  test('and nowhere else', () => {
    const recipes = planRecipes(model, { ...rest, judged: false })
    expect(recipes.map((r) => r.name)).toContain('dynamic int8')
    const steps = recipes.flatMap((r) => r.steps.map((s) => s.transform))
    expect(steps.filter((id) => id === 'quantize/nbits' || id === 'store/int4')).toEqual([])
  })
})

test('weights of two values are stored as bits, other weights never are', () => {
  const names = (m: typeof model) => planRecipes(m, { ...rest, judged: false }).map((r) => r.name)
  const signs = f32(
    [64, 64],
    Float32Array.from({ length: 4096 }, (_, i) => (i % 3 === 0 ? 1 : -1)),
  )
  const rounded = { ...model, graph: { ...model.graph, constants: new Map([['w', signs]]) } }
  expect(names(rounded)).toEqual(expect.arrayContaining(['stored binary', 'stored ternary']))
  expect(names(model)).not.toContain('stored binary')
})
