import { afterAll, beforeAll, expect, test } from 'vitest'
import { weights } from '../../../test/compress-models.js'
import { value } from '../../../test/small-models.js'
import type { Samples } from '../../data/samples.js'
import type { Engine } from '../../engine/engine.js'
import { openEngine } from '../../engine/node/open.js'
import { int } from '../../ir/attrs.js'
import { builder, modelOf } from '../../ir/builder.js'
import { f32, floats } from '../../ir/tensor.js'
import { random } from '../../util/random.js'
import { applySteps } from '../recipes.js'
import { sparsifyFisher } from './fisher.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

const [DEPTH, ROWS, COUNT] = [60, 3, 12] as const
const w = weights([ROWS, DEPTH], 1)
const { normal } = random(4)
const xs = Array.from({ length: COUNT }, () => Float32Array.from({ length: DEPTH }, (_, j) => (1 + j / 20) * normal()))
const labels = Array.from({ length: COUNT }, () => Array.from({ length: ROWS }, () => 3 * normal()))

/** y = W x, transposed in the graph. */
function model() {
  const b = builder()
  b.input('x', value('float32', ['n', DEPTH]))
  b.output(b.op('Gemm', ['x', b.constant(w, 'w')], { attrs: { transB: int(1) } }), value('float32', ['n', ROWS]))
  return modelOf(b.graph())
}

const samples: Samples = {
  name: 'labelled',
  count: COUNT,
  async *read() {
    for (const [i, x] of xs.entries()) yield { name: String(i), feeds: { x: f32([1, DEPTH], x) }, label: labels[i]! }
  },
}

/** By hand: of the squared error ∂L/∂w of a sample is 2 r x / outputs, r being what the output is off by. */
function worths(of: (w: number, g: number) => number): Float64Array {
  const values = floats(w)
  const sums = new Float64Array(values.length)
  for (const [s, x] of xs.entries())
    for (let r = 0; r < ROWS; r++) {
      const own = values.subarray(r * DEPTH, (r + 1) * DEPTH)
      const off = own.reduce((sum, v, j) => sum + v * x[j]!, 0) - labels[s]![r]!
      for (let j = 0; j < DEPTH; j++) sums[r * DEPTH + j]! += of(own[j]!, (2 * off * x[j]!) / ROWS)
    }
  return sums
}

test.each([
  ['sparsify/fisher', (v: number, g: number) => v * v * g * g],
  ['sparsify/taylor', (v: number, g: number) => Math.abs(v * g)],
] as const)('%s zeros the weights of least worth, computed by hand', async (id, of) => {
  const env = { engine: async () => engine, samples, seed: 1 }
  const result = await applySteps(model(), [{ transform: id, params: { ratio: 0.4 } }], env)
  const order = [...worths(of).entries()].sort((a, b) => a[1] - b[1]).map(([i]) => i)
  const gone = new Set(order.slice(0, Math.round(0.4 * order.length)))
  const now = floats(result.graph.constants.get('w')!)
  expect(now.length).toBe(ROWS * DEPTH)
  expect([...now].map((v, i) => (v === 0) !== gone.has(i)).filter(Boolean)).toEqual([])
  expect([...now].every((v, i) => v === 0 || v === floats(w)[i])).toBe(true)
})

test('by layer each loses its share', async () => {
  const env = { engine: async () => engine, samples, seed: 1 }
  const params = { ratio: 0.5, pattern: '2:4' }
  const result = await applySteps(model(), [{ transform: 'sparsify/fisher', params }], env)
  const now = floats(result.graph.constants.get('w')!)
  for (let i = 0; i < now.length; i += 4) expect([...now.subarray(i, i + 4)].filter((v) => v === 0)).toHaveLength(2)
})

test('without samples it refuses', () => {
  expect(sparsifyFisher.refuses(model(), {})).toContain('needs samples')
})
