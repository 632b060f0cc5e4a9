/** Random models for properties: valid as graphs (names, order, sizes), of any content otherwise. */

import fc from 'fast-check'
import { byteSize, DTYPES } from '../src/ir/dtypes.js'
import { elementCount, stringTensor, tensorOfBytes } from '../src/ir/tensor.js'
import type {
  Annotated,
  Attr,
  Dim,
  DType,
  Func,
  Graph,
  Model,
  Node,
  Tensor,
  UnknownField,
  Value,
} from '../src/ir/types.js'

const DTYPE_NAMES = Object.keys(DTYPES) as DType[]

/** Names that are words, names that need quotes, names that mean something to the text form or to JavaScript. */
const name = fc.oneof(
  fc.string({ minLength: 1, maxLength: 6, unit: 'binary' }),
  fc.constantFrom(
    'x',
    '/layer.0/conv',
    'const',
    'graph',
    'nan',
    'inf.x',
    '//',
    '_',
    'a b',
    '"',
    '\\',
    '\n',
    '__proto__',
    '1',
    'é',
    '#1',
  ),
)
const word = fc.string({ maxLength: 5, unit: 'binary' })

/** Fields with numbers that no version has, length-delimited, so their data begins with its length. */
const unknownField: fc.Arbitrary<UnknownField> = fc
  .tuple(fc.integer({ min: 500, max: 900 }), fc.uint8Array({ maxLength: 5 }))
  .map(([no, content]) => ({ no, wireType: 2, data: Uint8Array.from([content.length, ...content]) }))

const annotated: fc.Arbitrary<Annotated> = fc.record(
  {
    doc: word,
    metadata: fc.array(fc.tuple(word, word), { minLength: 1, maxLength: 2 }).map((entries) => new Map(entries)),
    unknown: fc.array(unknownField, { minLength: 1, maxLength: 2 }),
  },
  { requiredKeys: [] },
)
const sometimes: fc.Arbitrary<Annotated> = fc.oneof({ weight: 4, arbitrary: fc.constant({}) }, annotated)

const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 4 }),
  word.map((s) => new TextEncoder().encode(s)),
)

/** Of all types; numbers are random bits, so infinities, NaN of every kind and subnormal numbers occur. */
const arbitraryTensor: fc.Arbitrary<Tensor> = fc
  .tuple(fc.constantFrom(...DTYPE_NAMES, '#77' as const), fc.array(fc.nat(3), { maxLength: 3 }), sometimes)
  .chain(([dtype, shape, notes]) => {
    const count = elementCount(shape)
    if (dtype === 'string') {
      return fc
        .array(bytes, { minLength: count, maxLength: count })
        .map((s): Tensor => ({ ...stringTensor(shape, s), ...notes }))
    }
    const size = byteSize(dtype, count) ?? 5
    const content = fc.uint8Array({ minLength: size, maxLength: size })
    const round = dtype === 'bool' ? content.map((b) => b.map((v) => v & 1)) : content
    return fc
      .oneof(round, fc.constant(new Uint8Array(size)))
      .map((b): Tensor => ({ ...tensorOfBytes(dtype, shape, b), ...notes }))
  })

const dtype = fc.constantFrom<DType>(...DTYPE_NAMES, 'undefined', '#77')
const dim: fc.Arbitrary<Dim> = fc.oneof(fc.nat(9), name, fc.constant(null))

const { type } = fc.letrec<{ type: Value }>((tie) => ({
  type: fc.oneof(
    { maxDepth: 2, withCrossShrink: true },
    fc.record(
      {
        kind: fc.constantFrom('tensor' as const, 'sparse' as const),
        dtype,
        shape: fc.option(fc.array(dim, { maxLength: 3 })),
        denotation: name,
        typeUnknown: fc.record({ kind: fc.array(unknownField, { minLength: 1, maxLength: 1 }) }),
      },
      { requiredKeys: ['kind', 'dtype', 'shape'] },
    ),
    fc.record({
      kind: fc.constantFrom('sequence' as const, 'optional' as const),
      element: tie('type'),
    }) as fc.Arbitrary<Value>,
    fc.record({ kind: fc.constant('map' as const), key: dtype, element: tie('type') }),
    fc.record({ kind: fc.constant('opaque' as const), domain: word, name: word }),
  ) as fc.Arbitrary<Value>,
}))
const value: fc.Arbitrary<Value> = fc.tuple(type, sometimes).map(([t, notes]) => ({ ...t, ...notes }) as Value)

const float = fc.float({ noNaN: false })
const integer = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })

const attr = (depth: number): fc.Arbitrary<Attr> =>
  fc
    .tuple(
      fc.oneof(
        float.map((v): Attr => ({ type: 'float', value: v })),
        integer.map((v): Attr => ({ type: 'int', value: v })),
        bytes.map((v): Attr => ({ type: 'string', value: v })),
        arbitraryTensor.map((v): Attr => ({ type: 'tensor', value: v })),
        type.map((v): Attr => ({ type: 'type', value: v })),
        fc.array(float, { maxLength: 3 }).map((v): Attr => ({ type: 'floats', value: v })),
        fc.array(integer, { maxLength: 3 }).map((v): Attr => ({ type: 'ints', value: v })),
        fc.array(bytes, { maxLength: 3 }).map((v): Attr => ({ type: 'strings', value: v })),
        fc.array(arbitraryTensor, { maxLength: 2 }).map((v): Attr => ({ type: 'tensors', value: v })),
        fc.array(type, { maxLength: 2 }).map((v): Attr => ({ type: 'types', value: v })),
        fc
          .tuple(arbitraryTensor, arbitraryTensor)
          .map(([values, indices]): Attr => ({ type: 'sparse', value: { values, indices, shape: [2, 3] } })),
        name.map((ref): Attr => ({ type: 'undefined', code: 2, ref })),
        fc.constant<Attr>({ type: 'undefined', code: 99 }),
        ...(depth > 0 ? [arbitraryGraph(depth - 1).map((v): Attr => ({ type: 'graph', value: v }))] : []),
      ),
      // An attribute has no metadata.
      sometimes.map(({ metadata: _, ...notes }) => notes),
    )
    .map(([a, notes]) => ({ ...a, ...notes }))

interface Draft {
  readonly node: Omit<Node, 'inputs' | 'outputs'>
  readonly reads: readonly number[]
  readonly outputs: number
}

const draft = (depth: number): fc.Arbitrary<Draft> =>
  fc.record({
    node: fc
      .tuple(
        fc.record({
          name: fc.oneof(name, fc.constant('')),
          domain: fc.constantFrom('', 'ai.onnx', 'com.example'),
          op: name,
          attrs: fc.dictionary(name, attr(depth), { maxKeys: 2 }).map((d) => Object.fromEntries(Object.entries(d))),
        }),
        sometimes,
      )
      .map(([n, notes]) => ({ ...n, ...notes })),
    reads: fc.array(fc.nat(), { maxLength: 3 }),
    outputs: fc.nat(2),
  })

/** Nodes over names that are there when they read; every fourth read is of an absent input. */
function wire(drafts: readonly Draft[], start: readonly string[], prefix: string): readonly Node[] {
  const known = [...start]
  return drafts.map(({ node, reads, outputs }, i) => {
    const inputs = reads.map((r) => (known.length === 0 || r % 4 === 0 ? '' : known[r % known.length]!))
    const outs = Array.from({ length: outputs }, (_, o) => `${prefix}${i}_${o}`)
    known.push(...outs)
    return { ...node, inputs, outputs: outs }
  })
}

/** A graph whose names are its own, with graphs inside down to `depth`. */
const arbitraryGraph = (depth = 1): fc.Arbitrary<Graph> =>
  fc
    .record({
      title: word,
      inputs: fc.uniqueArray(name, { maxLength: 3 }),
      constants: fc.array(fc.tuple(name, arbitraryTensor), { maxLength: 2 }),
      drafts: fc.array(draft(depth), { maxLength: 3 }),
      types: fc.array(value, { minLength: 8, maxLength: 8 }),
      notes: sometimes,
    })
    .map(({ title, inputs, constants, drafts, types, notes }): Graph => {
      const own = new Map(constants.filter(([n]) => !inputs.includes(n) && !/^v\d/.test(n)))
      const nodes = wire(drafts, [...inputs, ...own.keys()], 'v')
      const made = nodes.flatMap((n) => n.outputs)
      const outputs = [...new Set([...made.slice(-1), ...inputs.slice(0, 1)])]
      const listed = [...new Set([...inputs, ...outputs, ...made.slice(0, 2)])]
      return {
        name: title,
        inputs,
        outputs,
        nodes,
        constants: own,
        values: new Map(listed.map((n, i) => [n, types[i % types.length]!])),
        ...notes,
      }
    })

const func: fc.Arbitrary<Func> = fc
  .record({
    name,
    inputs: fc.uniqueArray(name, { maxLength: 2 }),
    drafts: fc.array(draft(0), { maxLength: 2 }),
    attributes: fc.uniqueArray(name, { maxLength: 2 }),
    defaults: fc.dictionary(name, attr(0), { maxKeys: 1 }).map((d) => Object.fromEntries(Object.entries(d))),
    notes: sometimes,
  })
  .map(({ name: title, inputs, drafts, attributes, defaults, notes }) => {
    const own = inputs.filter((n) => !/^f\d/.test(n))
    const nodes = wire(drafts, own, 'f')
    const outputs = nodes.flatMap((n) => n.outputs).slice(-1)
    return {
      name: title,
      domain: 'com.example',
      inputs: own,
      outputs,
      attributes,
      defaults,
      opsets: new Map([['', 21]]),
      nodes,
      values: new Map(),
      ...notes,
    }
  })

export const arbitraryModel: fc.Arbitrary<Model> = fc
  .record({
    irVersion: fc.nat(20),
    producer: fc.record({ name: word, version: word }),
    domain: word,
    version: integer,
    graph: arbitraryGraph(),
    functions: fc.uniqueArray(func, { maxLength: 1, selector: (f) => f.name }),
    notes: sometimes,
  })
  .map(({ notes, ...m }) => ({
    ...m,
    opsets: new Map([
      ['', 21],
      ['com.example', 1],
    ]),
    ...notes,
    metadata: notes.metadata ?? new Map(),
  }))
