import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Engine } from '../engine/engine.js'
import { openEngine } from '../engine/node/open.js'
import { int, str, strs } from '../ir/attrs.js'
import { builder, modelOf } from '../ir/builder.js'
import { f32, numbers } from '../ir/tensor.js'
import type { Attr, Model, Tensor } from '../ir/types.js'
import { encodeModel } from '../onnx/codec.js'
import { random } from '../util/random.js'
import { withUnrolled } from './unroll.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

const [length, batch, width, hidden] = [4, 2, 3, 5]
const { normal } = random(2)
const drawn = (...shape: readonly number[]): Tensor =>
  f32(
    shape,
    Array.from({ length: shape.reduce((n, d) => n * d, 1) }, () => 0.5 * normal()),
  )

interface Form {
  readonly op: 'LSTM' | 'GRU' | 'RNN'
  readonly direction?: string
  readonly attrs?: Readonly<Record<string, Attr>>
  /** Initial states, and for LSTM peepholes. */
  readonly hasStates?: boolean
  readonly hasBias?: boolean
}

function cell({ op, direction = 'forward', attrs = {}, hasStates = false, hasBias = true }: Form): Model {
  const count = direction === 'bidirectional' ? 2 : 1
  const gates = { LSTM: 4, GRU: 3, RNN: 1 }[op]
  const b = builder()
  b.input('x', { kind: 'tensor', dtype: 'float32', shape: [length, batch, width] })
  const states = hasStates ? ['', b.constant(drawn(count, batch, hidden), 'h')] : []
  const more =
    op === 'LSTM' && hasStates
      ? [b.constant(drawn(count, batch, hidden), 'c'), b.constant(drawn(count, 3 * hidden), 'p')]
      : []
  const inputs = [
    'x',
    b.constant(drawn(count, gates * hidden, width), 'w'),
    b.constant(drawn(count, gates * hidden, hidden), 'r'),
    ...(hasBias ? [b.constant(drawn(count, 2 * gates * hidden), 'bias')] : hasStates ? [''] : []),
    ...states,
    ...more,
  ]
  const outputs = op === 'LSTM' ? 3 : 2
  const all = { hidden_size: int(hidden), direction: str(direction), ...attrs }
  for (const name of b.ops(op, inputs, { outputs, attrs: all })) b.output(name)
  return modelOf(b.graph())
}

async function run(model: Model): Promise<readonly number[][]> {
  const session = await engine.load(encodeModel(model).bytes)
  const x = f32(
    [length, batch, width],
    Array.from({ length: length * batch * width }, (_, i) => Math.sin(i)),
  )
  const results = await session.run({ x })
  await session.close()
  return model.graph.outputs.map((name) => [...numbers(results[name]!)])
}

const FORMS: readonly (readonly [string, Form])[] = [
  ['LSTM', { op: 'LSTM' }],
  ['LSTM with states and peepholes', { op: 'LSTM', hasStates: true }],
  ['LSTM, reverse, no bias', { op: 'LSTM', direction: 'reverse', hasBias: false }],
  ['LSTM, both ways', { op: 'LSTM', direction: 'bidirectional', hasStates: true }],
  ['GRU', { op: 'GRU' }],
  ['GRU, linear before reset', { op: 'GRU', attrs: { linear_before_reset: int(1) }, hasStates: true }],
  ['GRU, both ways, no bias', { op: 'GRU', direction: 'bidirectional', hasBias: false }],
  ['RNN', { op: 'RNN', hasStates: true }],
  ['RNN, both ways', { op: 'RNN', direction: 'bidirectional', attrs: { activations: strs(['Tanh', 'Tanh']) } }],
]

describe('written out', () => {
  test.each(FORMS)('%s: the same outputs', async (_, form) => {
    const model = cell(form)
    const plain = withUnrolled(model, 'float32')
    expect(plain.graph.nodes.map((n) => n.op)).not.toContain(form.op)
    const [wanted, got] = [await run(model), await run(plain)]
    for (const [i, values] of wanted.entries())
      for (const [j, v] of values.entries()) expect(got[i]![j]).toBeCloseTo(v, 5)
  })

  test.each([
    ['other activations', { activations: strs(['Relu', 'Tanh', 'Tanh']) }],
    ['coupled gates', { input_forget: int(1) }],
  ])('%s: left as it is', (_, attrs) => {
    const model = cell({ op: 'LSTM', attrs })
    expect(withUnrolled(model, 'float32').graph.nodes).toEqual(model.graph.nodes)
  })
})
