/** A small model for tests of the search, with one layer that integers hurt, and samples for it. */

import type { Sample, Samples } from '../src/data/samples.js'
import { graphAttr } from '../src/ir/attrs.js'
import { type Builder, builder, modelOf } from '../src/ir/builder.js'
import { f32 } from '../src/ir/tensor.js'
import type { Model, Tensor } from '../src/ir/types.js'
import { random } from '../src/util/random.js'
import { stream } from './calibrated.js'
import { weights } from './compress-models.js'
import { value } from './small-models.js'

const WIDTH = 64
/** How far the first of the values that enter `fragile` reaches beyond the others. */
const REACH = 400

/** Entries of a matrix, made anew from their indices. */
function edited(t: Tensor, edit: (v: number, row: number, column: number) => number): Tensor {
  const columns = t.shape[1]!
  return f32(
    t.shape,
    new Float32Array(t.bytes().slice().buffer).map((v, i) => edit(v, Math.floor(i / columns), i % columns)),
  )
}

/**
 * x [1, 64] → entry → Relu → fragile → Relu → exit → y [1, 16]. One of the values that enter `fragile` is 400 times
 * the others, and alone makes one column: on one grid of 8 bits either it or the others are lost. Its weights, with a
 * scale a column, lose nothing.
 */
export function fragileModel(): Model {
  const b = builder()
  b.input('x', value('float32', [1, WIDTH]))
  const layer = (x: string, w: Tensor, name: string): string =>
    b.op('Gemm', [x, b.constant(w, `${name}.w`), b.constant(weights([w.shape[1]!], 9, 0.1), `${name}.b`)], { name })
  const entry = edited(weights([WIDTH, WIDTH], 1, 0.1), (v, _, column) => (column === 0 ? REACH * v : v))
  const fragile = edited(weights([WIDTH, WIDTH], 2, 0.1), (v, row, column) =>
    row === 0 || column === 0 ? (row === column ? 1 / REACH : 0) : v,
  )
  const h = b.op('Relu', [layer('x', entry, 'entry')])
  const g = b.op('Relu', [layer(h, fragile, 'fragile')])
  b.ops('Identity', [layer(g, weights([WIDTH, 16], 3, 0.1), 'exit')], { outputs: ['y'] })
  b.output('y', value('float32', [1, 16]))
  return modelOf(b.graph())
}

/**
 * x [1, 64] → first → big → second → y, where first and second share their weight: 300 on its diagonal, which a
 * subtraction takes away again, so that integers lose what is left. `inside`: they lie in the two branches of an If,
 * taken by turns (`c`), and read the weight from the graph around.
 */
export function tiedModel(place: 'beside' | 'inside'): Model {
  const b = builder()
  b.input('x', value('float32', [1, WIDTH]))
  const shared = b.constant(
    edited(weights([WIDTH, WIDTH], 2, 0.1), (v, row, column) => (row === column ? 300 : v)),
    'shared.w',
  )
  const [scale, big] = [b.constant(f32([1], [300]), 'scale'), b.constant(weights([WIDTH, WIDTH], 5, 0.1), 'big.w')]
  const layer = (into: Builder, x: string, name: string): string =>
    into.op('Tanh', [into.op('Sub', [into.op('MatMul', [x, shared], { name }), into.op('Mul', [x, scale])])])
  const middle = (x: string): string => b.op('Tanh', [b.op('MatMul', [x, big], { name: 'big' })])
  let last: string
  if (place === 'beside') last = layer(b, middle(layer(b, 'x', 'first')), 'second')
  else {
    b.input('c', value('bool', []))
    const branch = (name: string) => {
      const inner = builder(['x', shared, scale])
      inner.output(layer(inner, 'x', name), value('float32', [1, WIDTH]))
      return graphAttr(inner.graph(name))
    }
    const attrs = { then_branch: branch('first'), else_branch: branch('second') }
    last = middle(b.ops('If', ['c'], { outputs: ['either'], attrs })[0]!)
  }
  b.ops('Identity', [last], { outputs: ['y'] })
  b.output('y', value('float32', [1, WIDTH]))
  return modelOf(b.graph())
}

/** Normal rows for the model's input. */
export function rowSamples(count: number, seed = 7, width = WIDTH): Samples {
  const r = random(seed)
  const list = Array.from(
    { length: count },
    (_, i): Sample => ({
      feeds: {
        x: f32(
          [1, width],
          Float32Array.from({ length: width }, () => r.normal()),
        ),
      },
      name: `row ${i}`,
    }),
  )
  return { name: 'normal rows', count, read: () => stream(list) }
}
