/**
 * Static int8: activations and weights on integer grids, written as QuantizeLinear/DequantizeLinear pairs placed so
 * that ONNX Runtime fuses each unit into one integer kernel (QLinearConv and its kin).
 *
 * A value that an integer kernel makes is renamed, quantized and dequantized under its old name, so that everything
 * that reads it, a graph output or a subgraph included, reads the grid's values and the kernel's only consumer is
 * its QuantizeLinear. A value made in float is quantized beside: float readers keep the exact one.
 */

import { ownWeightSuspects } from '../../engine/hazards.js'
import { affineGrid, type Grid, quantizeValue } from '../../grids/affine.js'
import { RANGE_METHODS, type RangeMethod, rangeOf } from '../../grids/ranges.js'
import { nodeKey, producers, withGraph } from '../../ir/graphs.js'
import { elements, floats, tensor } from '../../ir/tensor.js'
import type { Graph, Model, Node } from '../../ir/types.js'
import { freshNames } from '../../passes/names.js'
import { removeDead } from '../../passes/remove-dead.js'
import { standardOpset } from '../../passes/standard-domain.js'
import { PareError } from '../../util/errors.js'
import type { Calibration, Params, Transform } from '../transform.js'
import { neededInFloat } from './needed.js'
import { axisAttr, gridInputs, type Rewriter, rewriter, withInput } from './rewrite.js'
import { openRounder, roundingParam } from './rounder.js'
import { unitWeights } from './saturation.js'
import { findUnits, type Grids, isMove, type Unit } from './units.js'
import { hasRange } from './watch.js'
import { allFinite, type QuantizedWeight } from './weights.js'

const params = {
  range: {
    kind: 'choice',
    choices: RANGE_METHODS,
    default: 'min-max',
    doc: 'how the range of each activation is chosen',
  },
  perChannel: { kind: 'flag', default: true, doc: 'one weight scale for each output channel' },
  activations: {
    kind: 'choice',
    choices: ['uint8', 'int8'],
    default: 'uint8',
    doc: 'integer type of activations: uint8 is fast on x86, int8 on ARM',
  },
  symmetric: {
    kind: 'flag',
    default: false,
    doc: 'activation grids symmetric around zero, where values have both signs',
  },
  depthwise: { kind: 'flag', default: true, doc: 'quantize depthwise convolutions too' },
  matmul: { kind: 'flag', default: true, doc: 'quantize MatMul and Gemm statically (dynamic int8 is the alternative)' },
  rounding: roundingParam,
  maps: { kind: 'flag', default: true, doc: 'keep Add, Mul, Concat and the like between quantized layers in integers' },
  exclude: { kind: 'names', default: [], doc: 'nodes that stay in float' },
} as const

export type StaticParams = Params<typeof params>

export const quantizeStatic: Transform<typeof params> = {
  id: 'quantize/static',
  summary: 'int8 weights and activations on grids fixed by calibration',
  params,
  needsCalibration: true,
  role: 'rounds',
  refuses(model) {
    const opset = standardOpset(model.opsets)
    if (!findUnits(model.graph).some((u) => u.weight !== undefined))
      return 'no Conv, MatMul or Gemm with constant weights'
    return opset < 10 ? `QuantizeLinear needs opset 10, and the model's is ${opset}` : null
  },
  async apply(model, given, env) {
    // Before opset 13 DequantizeLinear has no axis.
    const p = standardOpset(model.opsets) < 13 ? { ...given, perChannel: false } : given
    const calibration = env.calibration
    if (calibration === undefined) {
      throw new PareError('CALIBRATION_MISSING', 'static quantization needs samples', {
        remedy: 'Give --data, or use a dynamic or store recipe.',
      })
    }
    const units = selectUnits(model.graph, p, calibration)
    if (units.length === 0) return model
    const grids = chooseGrids(model.graph, units, p, calibration)
    const nodes = new Set(units.map(({ node }) => node))
    const rounder = await openRounder(model, p.rounding, env, ({ node }) => nodes.has(node))
    const weights = await unitWeights(units, model.graph, grids, p.perChannel, calibration, env, rounder)
    rounder.report('quantize/static')
    return removeDead.run(withGraph(model, emit(model, units, grids, p, weights, env.portable === true)), env)
  },
}

/** The units that the parameters allow, in graph order. */
function selectUnits(graph: Graph, p: StaticParams, calibration: Calibration): readonly Unit[] {
  const excluded = new Set(p.exclude)
  const known = (name: string): boolean => hasRange(calibration.histograms.get(name))
  const fits = (name: string | undefined): boolean => {
    const constant = name === undefined ? undefined : graph.constants.get(name)
    return constant === undefined || allFinite(constant)
  }
  const allowed = findUnits(graph).filter((u) => {
    if (excluded.has(nodeKey(u.node)) || !u.data.every((n) => known(n) || graph.constants.has(n)) || !known(u.output))
      return false
    if (![u.weight, u.bias, ...u.data].every(fits)) return false
    if (u.kind === 'depthwise') return p.depthwise
    if (u.kind === 'matmul' || u.kind === 'gemm') return p.matmul
    return u.kind === 'map' ? p.maps : true
  })
  const weighted = allowed.filter((u) => u.kind !== 'map')
  const sharing = tiedInFloat(graph, weighted)
  const chosen = new Set(weighted.filter((u) => !sharing.has(u.weight!)))
  addMaps(graph, allowed, chosen)
  return allowed.filter((u) => chosen.has(u))
}

/** Weights that some reader needs in float, or along another axis. */
function tiedInFloat(graph: Graph, units: readonly Unit[]): ReadonlySet<string> {
  const byNode = new Map(units.map((u) => [u.node, u]))
  const isNeeded = neededInFloat(graph)
  const tied = units.filter(({ weight, axis }) =>
    isNeeded(weight!, (reader) => byNode.get(reader)?.weight === weight && byNode.get(reader)?.axis === axis),
  )
  return new Set(tied.map((u) => u.weight!))
}

/**
 * A map joins where all that enters is on a grid already and what leaves reaches another layer on a grid: elsewhere
 * the conversions cost more than they save, and the model's last values would lose precision for nothing.
 */
function addMaps(graph: Graph, allowed: readonly Unit[], chosen: Set<Unit>): void {
  const made = producers(graph)
  const onGrid = new Set([...chosen].map((u) => u.output))
  const wanted = wantedByLayers(graph, allowed, chosen)
  const isOnGrid = (name: string): boolean => {
    for (let at = name; ; ) {
      if (onGrid.has(at)) return true
      const node = made.get(at)
      if (node === undefined || !isMove(node)) return false
      at = node.inputs[0]!
    }
  }
  for (const unit of allowed) {
    if (unit.kind !== 'map' || !wanted.has(unit.output)) continue
    const inputs = unit.data.filter((name) => !graph.constants.has(name))
    if (inputs.length === 0 || !inputs.every(isOnGrid)) continue
    chosen.add(unit)
    onGrid.add(unit.output)
  }
}

/** Values that reach a chosen layer through nothing but maps and moves. */
function wantedByLayers(graph: Graph, allowed: readonly Unit[], chosen: ReadonlySet<Unit>): ReadonlySet<string> {
  const maps = new Map(allowed.filter((u) => u.kind === 'map').map((u) => [u.node, u]))
  const wanted = new Set([...chosen].flatMap((u) => u.data))
  for (const node of graph.nodes.toReversed()) {
    const map = maps.get(node)
    if (map !== undefined && wanted.has(map.output)) for (const name of map.data) wanted.add(name)
    if (isMove(node) && wanted.has(node.outputs[0]!)) wanted.add(node.inputs[0]!)
  }
  return wanted
}

/** A value that a move hands through takes the grid of what enters the move. */
function chooseGrids(graph: Graph, units: readonly Unit[], p: StaticParams, calibration: Calibration): Grids {
  const made = producers(graph)
  const needed = new Set<string>()
  for (const u of units) {
    for (const name of u.data) if (!graph.constants.has(name)) needed.add(name)
    if (u.kind !== 'matmul' && u.kind !== 'gemm') needed.add(u.output)
  }
  for (const name of [...needed]) for (const between of movedFromGrid(name, made, needed)) needed.add(between)
  const grids = new Map<string, Grid>()
  const gridOf = (name: string): Grid => {
    const known = grids.get(name)
    if (known) return known
    const node = made.get(name)
    const source = node !== undefined && isMove(node) ? node.inputs[0]! : undefined
    const grid = source !== undefined && needed.has(source) ? gridOf(source) : fitGrid(name, p, calibration)
    grids.set(name, grid)
    return grid
  }
  for (const name of needed) gridOf(name)
  return grids
}

/** The values between a grid and this value, where moves alone separate them: they carry the grid along. */
function movedFromGrid(name: string, made: ReadonlyMap<string, Node>, onGrid: ReadonlySet<string>): readonly string[] {
  const between: string[] = []
  for (let node = made.get(name); node !== undefined && isMove(node); ) {
    const source = node.inputs[0]!
    if (onGrid.has(source)) return between
    between.push(source)
    node = made.get(source)
  }
  return []
}

function fitGrid(name: string, p: StaticParams, calibration: Calibration): Grid {
  const histogram = calibration.histograms.get(name)!
  // After Relu only a grid that starts at zero lets the engine drop the Relu and keep the integer kernel.
  const options = { dtype: p.activations, symmetric: p.symmetric && histogram.min < 0 }
  return affineGrid(...rangeOf(histogram, p.range as RangeMethod, options), options)
}

function emit(
  model: Model,
  units: readonly Unit[],
  grids: Grids,
  p: StaticParams,
  weights: ReadonlyMap<string, QuantizedWeight>,
  portable: boolean,
): Graph {
  const graph = model.graph
  const r = rewriter(graph, freshNames(model))
  const { rename, dequantized } = placeGrids(r, graph, units, grids)
  const withWeights = weightWriter(r, graph, weights, grids, portable)
  const unitOf = new Map(units.map((u) => [u.node, u]))
  const onMapGrid = new Map<string, string>()
  for (const node of graph.nodes) {
    const unit = unitOf.get(node)
    let next: Node = node
    if (unit !== undefined) {
      const inputs = node.inputs.map((name) => dequantized.get(name) ?? name)
      next = {
        ...node,
        inputs: unit.weight === undefined ? mapConstants(r, graph, inputs, p, onMapGrid) : withWeights(unit, inputs),
      }
      // A Split of which only some outputs go on in integers runs in float: the engine wants a grid on each.
    } else if (isMove(node) && grids.has(node.inputs[0]!) && grids.has(node.outputs[0]!)) {
      next = withInput(node, 0, dequantized.get(node.inputs[0]!)!)
    }
    if (next.outputs.some((o) => rename.has(o)))
      next = { ...next, outputs: next.outputs.map((o) => rename.get(o) ?? o) }
    if (next !== node) r.replace(node, next)
  }
  return withGuards(r.finish(), r.fresh)
}

interface Placed {
  /** New names of values that integer kernels make, by the old ones. */
  readonly rename: ReadonlyMap<string, string>
  /** The dequantized value of each value on a grid: its own name where nothing exact is left of it. */
  readonly dequantized: ReadonlyMap<string, string>
}

/** A pair of QuantizeLinear and DequantizeLinear for each value on a grid. */
function placeGrids(r: Rewriter, graph: Graph, units: readonly Unit[], grids: Grids): Placed {
  const made = producers(graph)
  const byInteger = new Set(units.filter((u) => u.kind !== 'matmul' && u.kind !== 'gemm').map((u) => u.output))
  const rename = new Map<string, string>()
  const dequantized = new Map<string, string>()
  for (const [name, grid] of grids) {
    const node = made.get(name)
    const moved = node !== undefined && isMove(node) && grids.has(node.inputs[0]!)
    const inputs = gridInputs(r, grid)
    const q = r.fresh(`${name}_q`)
    if (byInteger.has(name) || moved) {
      const raw = r.fresh(`${name}_f`)
      rename.set(name, raw)
      r.node('QuantizeLinear', [raw, ...inputs], q)
      r.node('DequantizeLinear', [q, ...inputs], name)
      dequantized.set(name, name)
    } else {
      r.node('QuantizeLinear', [name, ...inputs], q)
      dequantized.set(name, r.node('DequantizeLinear', [q, ...inputs], r.fresh(`${name}_d`)))
    }
  }
  return { rename, dequantized }
}

/**
 * A layer that was left in float for its accuracy, between a DequantizeLinear and a QuantizeLinear: the engine would
 * quantize its weights by itself, per tensor. A Sum of one input in between keeps it from seeing the pattern.
 */
function withGuards(graph: Graph, fresh: (hint: string) => string): Graph {
  const suspects = ownWeightSuspects(graph)
  if (suspects.size === 0) return graph
  const nodes = graph.nodes.flatMap((node): readonly Node[] => {
    if (!suspects.has(node)) return [node]
    const guard = fresh(`${node.outputs[0]}_g`)
    const sum = { name: '', domain: '', op: 'Sum', inputs: [node.inputs[0]!], outputs: [guard], attrs: {} }
    return [sum, withInput(node, 0, guard)]
  })
  return { ...graph, nodes }
}

/** Constants that enter an integer map get a grid of their own. */
function mapConstants(
  r: Rewriter,
  graph: Graph,
  inputs: readonly string[],
  p: StaticParams,
  written: Map<string, string>,
): readonly string[] {
  return inputs.map((name) => {
    const constant = graph.constants.get(name)
    if (constant === undefined) return name
    const known = written.get(name)
    if (known !== undefined) return known
    const values = floats(constant)
    const low = values.reduce((a, b) => Math.min(a, b), 0)
    const high = values.reduce((a, b) => Math.max(a, b), 0)
    const grid = affineGrid(low, high, { dtype: p.activations })
    const q = values.map((v) => quantizeValue(v, grid))
    const stored =
      p.activations === 'uint8'
        ? tensor('uint8', constant.shape, Uint8Array.from(q))
        : tensor('int8', constant.shape, Int8Array.from(q))
    const real = r.node(
      'DequantizeLinear',
      [r.constant(stored, `${name}_q`), ...gridInputs(r, grid)],
      r.fresh(`${name}_d`),
    )
    written.set(name, real)
    return real
  })
}

interface WrittenWeight {
  /** The dequantized value. */
  readonly name: string
  /** Its scales, by name. */
  readonly scale: string
  readonly q: QuantizedWeight
}

/** From so many scales on, the op that computes them is smaller than they are. */
const LONG = 16

/** Writes weight and bias of units; equal ones (tied weights) once. */
function weightWriter(
  r: Rewriter,
  graph: Graph,
  weights: ReadonlyMap<string, QuantizedWeight>,
  grids: Grids,
  portable: boolean,
) {
  const written = new Map<string, WrittenWeight>()
  const biases = new Map<string, string>()

  return (unit: Unit, inputs: readonly string[]): readonly string[] => {
    const grid = grids.get(unit.data[0]!)!
    const weight = written.get(unit.weight!) ?? writeWeight(unit)
    written.set(unit.weight!, weight)
    const withWeight = inputs.map((name, i) => (i === 1 ? weight.name : name))
    if (unit.bias === undefined) return withWeight
    const key = `${unit.bias} ${unit.weight} ${grid.scale}`
    const bias = biases.get(key) ?? writeBias(unit.bias, grid, weight)
    biases.set(key, bias)
    return withWeight.map((name, i) => (i === 2 ? bias : name))
  }

  function writeWeight(unit: Unit): WrittenWeight {
    const original = graph.constants.get(unit.weight!)!
    const q = weights.get(unit.weight!)!
    const name = r.fresh(`${unit.weight}_d`)
    const values = r.constant(
      { ...q.values, ...(original.doc !== undefined && { doc: original.doc }) },
      `${unit.weight}_q`,
    )
    const scale = r.constant(q.scale, `${unit.weight}_s`)
    // The zero point is 0 and may be left out, but for Gemm: without one the engine stays in float.
    const zero =
      unit.kind === 'gemm'
        ? [r.constant(tensor('int8', q.scale.shape, new Int8Array(q.scale.byteLength / 4)), 'z')]
        : []
    r.node('DequantizeLinear', [values, scale, ...zero], name, axisAttr(q.axis))
    return { name, scale, q }
  }

  /** int32 with zero point 0 and scale s_x · s_w: the scale of the integer sums it is added to. */
  function writeBias(name: string, grid: Grid, weight: WrittenWeight): string {
    const values = floats(graph.constants.get(name)!)
    const ws = elements(weight.q.scale) as Float32Array
    const scales = Float32Array.from(ws, (s) => s * grid.scale)
    const q = Int32Array.from(values, (v, c) => Math.round(v / scales[ws.length === 1 ? 0 : c]!))
    const perChannel = ws.length > 1 || weight.q.axis !== null
    // A product of constants is folded at load, and its ops are shorter than a long list of scales.
    const scale =
      scales.length >= LONG && !portable
        ? r.node('Mul', [weight.scale, gridInputs(r, grid)[0]!], r.fresh(`${name}_s`))
        : r.constant(tensor('float32', perChannel ? [scales.length] : [], scales), `${name}_s`)
    return r.node(
      'DequantizeLinear',
      [r.constant(tensor('int32', [q.length], q), `${name}_q`), scale],
      r.fresh(`${name}_d`),
      axisAttr(perChannel ? 0 : null),
    )
  }
}
