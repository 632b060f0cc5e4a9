import { describe, expect, it } from 'vitest'
import { opsOf, passTester, small } from '../../test/check-pass.js'
import { openEngine } from '../engine/node/open.js'
import { float, graphAttr, int, ints, tensorAttr } from '../ir/attrs.js'
import { type Builder, builder } from '../ir/builder.js'
import { f32, i64, tensor } from '../ir/tensor.js'
import type { Graph } from '../ir/types.js'
import { foldConstants } from './fold-constants.js'

const { check, env } = passTester()

const random = (count: number) => Float32Array.from({ length: count }, (_, i) => Math.sin(i * 12.9898) * 3)
const bytes = (count: number) => Int8Array.from({ length: count }, (_, i) => (i * 37) % 256)

describe('fold-constants', () => {
  it('computes what depends on constants alone', async () => {
    const model = small(17, { x: ['float32', [4, 4]] }, (b) => {
      const w = b.constant(f32([4, 4], random(16)))
      const t = b.op('Transpose', [b.op('Exp', [w])])
      return [b.op('MatMul', ['x', t]), b.op('Sub', ['x', b.op('Neg', [t])])]
    })
    const next = await check(foldConstants, model, { tolerance: 1e-6 })
    expect(opsOf(next)).toEqual(['MatMul', 'Sub'])
    expect(next.graph.constants.size).toBe(2)
  })

  it('makes constants of Constant nodes, all spellings', async () => {
    const model = small(17, { x: ['float32', [2]] }, (b) => {
      const a = b.op('Constant', [], { attrs: { value: tensorAttr(f32([2], [1, 2])) } })
      const c = b.op('Constant', [], { attrs: { value_float: float(0.5) } })
      const d = b.op('Constant', [], { attrs: { value_floats: { type: 'floats', value: [3, 4] } } })
      const e = b.op('Constant', [], { attrs: { value_ints: ints([1, 2]) } })
      const sum = b.op('Add', [b.op('Add', [b.op('Add', ['x', a]), c]), d])
      return [b.op('Reshape', [sum, e])]
    })
    expect(opsOf(await check(foldConstants, model))).toEqual(['Add', 'Add', 'Add', 'Reshape'])
  })

  it('what is folded to an output comes before those that read it', async () => {
    const model = small(17, { x: ['float32', [1, 4]] }, (b) => {
      const sum = b.op('ReduceMax', [b.constant(f32([64, 4], random(256)))], { attrs: { axes: ints([0]) } })
      return [sum, b.op('Mul', ['x', sum])]
    })
    const next = await check(foldConstants, model)
    expect(next.graph.nodes.map(({ op }) => op)).toEqual(['Constant', 'Mul'])
  })

  it('keeps 2^63 - 1', async () => {
    const model = small(17, { x: ['float32', ['n']] }, (b) => {
      const list = (v: bigint) => b.op('Constant', [], { attrs: { value_ints: { type: 'ints', value: [v] } } })
      return [b.op('Slice', ['x', list(1n), list(2n ** 63n - 1n)])]
    })
    const next = await check(foldConstants, model, { dims: { n: 5 } })
    expect(next.graph.constants.size).toBe(2)
  })

  it('computes with integers beyond 2^53 to the last bit', async () => {
    const model = small(17, { x: ['float32', ['n']] }, (b) => {
      const list = (...v: bigint[]) => b.constant(tensor('int64', [v.length], BigInt64Array.from(v)))
      const axes = b.constant(i64([1], [0]))
      const largest = b.op('Unsqueeze', [b.op('Squeeze', [list(2n ** 63n - 1n), axes]), axes])
      const difference = b.op('Sub', [list(2n ** 60n + 3n), list(2n ** 60n)])
      const equal = b.op('Equal', [list(2n ** 60n + 3n), list(2n ** 60n)])
      const total = b.op('ReduceSum', [list(2n ** 60n + 3n, -(2n ** 60n))])
      return [b.op('Slice', ['x', axes, largest]), difference, equal, total]
    })
    const next = await check(foldConstants, model, { dims: { n: 5 } })
    expect(opsOf(next)).toEqual(['Constant', 'Constant', 'Constant', 'Slice'])
  })

  it('folds sizes that are known, and only those', async () => {
    const flat = (n: number | string) =>
      small(17, { x: ['float32', [n, 3, 4]] }, (b) => {
        const shape = b.op('Shape', ['x'])
        const pick = (i: number) => b.op('Gather', [shape, b.constant(i64([1], [i]))])
        return [
          b.op('Reshape', [
            'x',
            b.op('Concat', [pick(0), pick(1), b.constant(i64([1], [-1]))], { attrs: { axis: int(0) } }),
          ]),
        ]
      })
    expect(opsOf(await check(foldConstants, flat(2)))).toEqual(['Reshape'])
    const open = await check(foldConstants, flat('n'), { dims: { n: 2 } })
    expect(opsOf(open)).toEqual(['Shape', 'Gather', 'Concat', 'Reshape'])
  })

  it('does not believe sizes that the file states for values between nodes', async () => {
    const build = (op: string) =>
      small(
        17,
        { x: ['float32', [7, 2]] },
        (b) => {
          const h = b.op(op, ['x'], { domain: op === 'Foo' ? 'own' : '', outputs: ['h'] })
          const size = b.op('Gather', [b.op('Shape', [h]), b.constant(i64([1], [0]))])
          return [
            b.op('Reshape', ['x', b.op('Concat', [size, b.constant(i64([1], [-1]))], { attrs: { axis: int(0) } })]),
          ]
        },
        { own: 1 },
      )
    const stated = (op: string) => {
      const model = build(op)
      const values = new Map(model.graph.values).set('h', { kind: 'tensor', dtype: 'float32', shape: [7, 2] } as const)
      return { ...model, graph: { ...model.graph, values } }
    }
    expect(opsOf(await foldConstants.run(stated('Relu'), env))).toEqual(['Reshape'])
    const unknown = stated('Foo')
    expect(await foldConstants.run(unknown, env)).toBe(unknown)
  })

  const expanded: Readonly<Record<string, Parameters<typeof small>[2]>> = {
    'DequantizeLinear of int8': (b) => {
      const w = b.constant(tensor('int8', [64, 64], bytes(4096)))
      return [b.op('MatMul', ['x', b.op('DequantizeLinear', [w, b.constant(f32([], [0.1]))])])]
    },
    'Cast, Sub, Mul of int8': (b) => {
      const w = b.op('Cast', [b.constant(tensor('int8', [64, 64], bytes(4096)))], { attrs: { to: int(1) } })
      const shifted = b.op('Sub', [w, b.op('Exp', [b.constant(f32([], [1]))])])
      return [b.op('MatMul', ['x', b.op('Mul', [shifted, b.constant(f32([64], random(64)))])])]
    },
    'Cast of float16': (b) => {
      const halves = Uint16Array.from({ length: 4096 }, (_, i) => 0x3c00 + i)
      const w = b.constant(tensor('float16', [64, 64], halves))
      return [b.op('MatMul', ['x', b.op('Cast', [w], { attrs: { to: int(1) } })])]
    },
    'a small bias of int8': (b) => {
      const c = b.constant(tensor('int8', [64], bytes(64)))
      return [b.op('Add', ['x', b.op('Cast', [c], { attrs: { to: int(1) } })])]
    },
    'an int32 bias': (b) => {
      const c = b.constant(tensor('int32', [64], Int32Array.from(bytes(64))))
      return [b.op('Add', ['x', b.op('DequantizeLinear', [c, b.constant(f32([], [0.1]))])])]
    },
  }
  it.each(Object.entries(expanded))('leaves compressed weights alone: %s', async (_, build) => {
    const model = small(17, { x: ['float32', [2, 64]] }, build)
    const narrow = [...model.graph.constants.values()][0]!
    const next = await check(foldConstants, model, { tolerance: 1e-6 })
    expect([...next.graph.constants.values()]).toContain(narrow)
  })

  it('does not expand what is written short, but computes around it', async () => {
    const model = small(17, { x: ['float32', [64, 64]] }, (b) => {
      const zeros = b.op('ConstantOfShape', [
        b.op('Add', [b.constant(i64([2], [60, 60])), b.constant(i64([2], [4, 4]))]),
      ])
      return [b.op('Add', ['x', b.op('Exp', [zeros])])]
    })
    expect(opsOf(await check(foldConstants, model))).toEqual(['ConstantOfShape', 'Exp', 'Add'])
  })

  /** With `saving`, another piece frees about 2 kB. */
  const withShort = (short: (b: Builder) => string, saving: boolean) =>
    small(17, { x: ['float32', [40]] }, (b) => {
      const y = b.op('Add', ['x', short(b)])
      if (!saving) return [y]
      const sum = b.op('ReduceSum', [b.constant(f32([512], random(512)))], { attrs: { keepdims: int(1) } })
      return [b.op('Mul', [y, sum])]
    })

  it('lets a small result grow where others save more', async () => {
    const zeros = (b: Builder) => b.op('ConstantOfShape', [b.constant(i64([1], [40]))])
    const alone = withShort(zeros, false)
    expect(await check(foldConstants, alone)).toBe(alone)
    expect(opsOf(await check(foldConstants, withShort(zeros, true)))).toEqual(['Add', 'Mul'])
  })

  it('lets no saving pay for a compressed weight', async () => {
    const bias = (b: Builder) => b.op('Cast', [b.constant(tensor('int8', [40], bytes(40)))], { attrs: { to: int(1) } })
    expect(opsOf(await check(foldConstants, withShort(bias, true)))).toEqual(['Cast', 'Add', 'Mul'])
  })

  it('never folds random ops, and keeps outputs that are constants', async () => {
    const model = small(17, { x: ['float32', [2]] }, (b) => {
      const noise = b.op('RandomNormal', [], { attrs: { shape: ints([2]), seed: float(1) } })
      const k = b.op('Neg', [b.constant(f32([2], [1, 2]))], { outputs: ['k'] })
      return [b.op('Shape', [b.op('Mul', ['x', noise])]), k]
    })
    const next = await foldConstants.run(model, env)
    expect(next.graph.outputs[1]).toBe('k')
    const two = await check(
      foldConstants,
      small(17, { x: ['float32', [2]] }, (b) => {
        const k = b.op('Transpose', [b.op('Neg', [b.op('Neg', [b.constant(f32([1, 2], [1, 2]))])])], { outputs: ['k'] })
        return [b.op('Relu', ['x']), k]
      }),
    )
    expect(opsOf(two)).toEqual(['Constant', 'Relu'])
    const noisy = small(17, {}, (b) => [b.op('Neg', [b.op('RandomNormal', [], { attrs: { shape: ints([2]) } })])])
    expect(await foldConstants.run(noisy, env)).toBe(noisy)
  })

  const branch = (name: string, op: string, weight: number): Graph => {
    const inner = builder(['h'])
    const y = inner.op(op, ['h'], { outputs: ['shared_name'] })
    inner.output(
      inner.op('Add', [y, inner.constant(f32([1], [weight]), 'shared_constant')], { outputs: [`${name}_y`] }),
    )
    return inner.graph(name)
  }
  const attrs = { then_branch: graphAttr(branch('yes', 'Relu', 1)), else_branch: graphAttr(branch('no', 'Tanh', 2)) }

  it('inlines the branch that a constant condition takes, under names of its own', async () => {
    const model = small(17, { x: ['float32', [2]], c: ['bool', []] }, (b) => {
      b.op('Neg', ['x'], { outputs: ['h'] })
      const size = b.op('Size', ['x'])
      const always = b.op('Equal', [size, b.constant(i64([], [2]))])
      return [
        b.op('If', [always], { attrs }),
        b.op('If', [b.op('Not', [always])], { attrs }),
        b.op('If', ['c'], { attrs }),
      ]
    })
    const next = await check(foldConstants, model)
    expect(opsOf(next)).toEqual(['Relu', 'Add', 'Tanh', 'Add', 'Neg', 'Relu', 'Add', 'Tanh', 'Add', 'If'])
  })

  it('inlines a branch in which a graph means another value by the name of the output', async () => {
    const deepest = (name: string, op: string) => {
      const inner = builder(['x', 'p'])
      inner.op(op, ['x'], { outputs: ['y'] })
      inner.output(inner.op('Add', ['y', 'p'], { outputs: [name] }))
      return graphAttr(inner.graph(name))
    }
    const taken = builder(['x', 'c'])
    taken.output(taken.op('Exp', ['x'], { outputs: ['p'] }))
    const nested = { then_branch: deepest('q', 'Neg'), else_branch: deepest('r', 'Abs') }
    taken.output(taken.op('If', ['c'], { attrs: nested, outputs: ['z'] }))
    const other = builder(['x'])
    for (const name of ['p2', 'z2']) other.output(other.op('Relu', ['x'], { outputs: [name] }))
    const model = small(17, { x: ['float32', [3]], c: ['bool', []] }, (b) => {
      const always = b.constant(tensor('bool', [], Uint8Array.of(1)))
      const both = { then_branch: graphAttr(taken.graph('t')), else_branch: graphAttr(other.graph('e')) }
      return [...b.ops('If', [always], { attrs: both, outputs: ['y', 'w'] })]
    })
    expect(opsOf(await check(foldConstants, model))).toEqual(['Neg', 'Add', 'Abs', 'Add', 'Exp', 'If'])
  })

  it('folds inside subgraphs, from constants around them', async () => {
    const inner = builder(['h', 'w'])
    inner.output(inner.op('Add', ['h', inner.op('Neg', [inner.op('Exp', ['w'])])], { outputs: ['t'] }))
    const other = builder(['h', 'w'])
    other.output(other.op('Neg', ['h'], { outputs: ['e'] }))
    const model = small(17, { x: ['float32', [2]], c: ['bool', []] }, (b) => {
      b.constant(f32([2], [1, 2]), 'w')
      b.op('Neg', ['x'], { outputs: ['h'] })
      const both = { then_branch: graphAttr(inner.graph('t')), else_branch: graphAttr(other.graph('e')) }
      return [b.op('If', ['c'], { attrs: both })]
    })
    expect(opsOf(await check(foldConstants, model))).toEqual(['Add', 'Neg', 'Neg', 'If'])
  })

  it('leaves what the engine cannot run and folds the rest', async () => {
    const model = small(
      17,
      { x: ['float32', [4]] },
      (b) => {
        const c = b.constant(f32([4], [1, 2, 3, 4]))
        const bad = b.op('NoSuchOp', [c], { domain: 'com.microsoft' })
        return [
          b.op('Add', [b.op('Add', ['x', bad]), b.op('Neg', [b.op('Exp', [b.constant(f32([4], [4, 3, 2, 1]))])])]),
        ]
      },
      { 'com.microsoft': 1 },
    )
    expect(opsOf(await foldConstants.run(model, env))).toEqual(['NoSuchOp', 'Add', 'Add'])
  })

  describe('loops over constants', () => {
    /** Takes the sine of a constant in a Loop of this trip count, in `depth` Loops one in the other. */
    const loops = (b: Builder, state: string, counts: readonly (number | null)[]): string => {
      const [count, ...inner] = counts
      const body = builder([])
      const level = `${counts.length}`
      body.input(`i${level}`, { kind: 'tensor', dtype: 'int64', shape: [] })
      body.input(`go${level}`, { kind: 'tensor', dtype: 'bool', shape: [] })
      body.input(`a${level}`, { kind: 'tensor', dtype: 'float32', shape: [64] })
      const goes = body.op('Identity', [`go${level}`], { outputs: [`goes${level}`] })
      body.output(goes)
      const next = inner.length > 0 ? loops(body, `a${level}`, inner) : body.op('Sin', [`a${level}`])
      body.output(body.op('Identity', [next], { outputs: [`next${level}`] }))
      const trips = count === null || count === undefined ? '' : b.constant(i64([], [count]), `count${level}`)
      const starts = count === null ? b.constant(tensor('bool', [], Uint8Array.of(1)), `start${level}`) : ''
      return b.op('Loop', [trips, starts, state], { attrs: { body: graphAttr(body.graph(`body${level}`)) } })
    }
    const summed = (counts: readonly (number | null)[]) =>
      small(17, { x: ['float32', [64]] }, (b) => [
        b.op('Add', ['x', b.op('Neg', [loops(b, b.constant(f32([64], random(64))), counts)])]),
      ])
    const noEngine = { engine: () => Promise.reject(new Error('nothing is to be computed')) }

    it.each([[[3]], [[0]], [[50, 50]]])('of few steps are run: %j', async (counts) => {
      expect(opsOf(await check(foldConstants, summed(counts), { tolerance: 1e-6 }))).toEqual(['Add'])
    })

    it.each([[[1e12]], [[10_001]], [[200, 200]], [[null]], [[3, null]]])('of many or unknown: %j', async (counts) => {
      expect(opsOf(await foldConstants.run(summed(counts), noEngine))).toContain('Loop')
    })

    it('are not run in a branch that is never taken either', async () => {
      const inner = builder(['x'])
      const state = inner.constant(f32([64], random(64)))
      inner.output(inner.op('Add', ['x', loops(inner, state, [1e12])], { outputs: ['t'] }))
      const other = builder(['x'])
      other.output(other.op('Neg', ['x'], { outputs: ['e'] }))
      const model = small(17, { x: ['float32', [64]], c: ['bool', []] }, (b) => {
        const both = { then_branch: graphAttr(inner.graph('t')), else_branch: graphAttr(other.graph('e')) }
        return [b.op('If', ['c'], { attrs: both })]
      })
      expect(opsOf(await foldConstants.run(model, noEngine))).toContain('Loop')
    })

    it.each([
      [40, true],
      [20_000, false],
    ])('Scan over %j elements', async (length, folds) => {
      const body = builder([])
      body.input('s', { kind: 'tensor', dtype: 'float32', shape: [] })
      body.input('e', { kind: 'tensor', dtype: 'float32', shape: [] })
      body.output(body.op('Add', ['s', 'e'], { outputs: ['t'] }))
      const model = small(17, { x: ['float32', []] }, (b) => {
        const inputs = [b.constant(f32([], [0])), b.constant(f32([length], random(length)))]
        const attrs = { num_scan_inputs: int(1), body: graphAttr(body.graph('body')) }
        return [b.op('Add', ['x', b.op('Scan', inputs, { attrs })])]
      })
      if (folds) expect(opsOf(await check(foldConstants, model, { tolerance: 1e-6 }))).toEqual(['Add'])
      else expect(await foldConstants.run(model, noEngine)).toBe(model)
    })

    it('and values on the way that no memory holds', async () => {
      const model = small(17, { x: ['float32', []] }, (b) => {
        const ones = b.op('Expand', [b.constant(f32([], [1])), b.constant(i64([2], [1e6, 1e6]))])
        return [b.op('Add', ['x', b.op('ReduceMax', [ones], { attrs: { keepdims: int(0) } })])]
      })
      expect(await foldConstants.run(model, noEngine)).toBe(model)
    })
  })

  it('passes on what keeps the engine from running at all', async () => {
    const model = small(17, { x: ['float32', [2]] }, (b) => [
      b.op('Add', ['x', b.op('Exp', [b.constant(f32([2], [1, 2]))])]),
    ])
    const engine = await openEngine({ device: 'wasm', threads: 1 })
    await engine.close()
    await expect(foldConstants.run(model, { engine: async () => engine })).rejects.toMatchObject({
      code: 'ENGINE_CLOSED',
    })
  })
})
