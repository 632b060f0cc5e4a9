/** Signal processing: Fourier transforms, windows, mel filters. */

import { intAttr } from '../ir/attrs.js'
import { dtypeOfCode } from '../ir/dtypes.js'
import type { Dim } from '../ir/types.js'
import { type Call, dtypeOf, type Fact, type OpDef, shapeOf } from './def.js'
import { def, fact } from './make.js'
import { hasInput, malformed, normalizeAxis, scalarOf, whereOf } from './shapes.js'

/** Bins of a spectrum of n points: all, or the first half with the middle. */
const bins = (n: Dim, onesided: boolean): Dim => (onesided ? (typeof n === 'number' ? Math.floor(n / 2) + 1 : null) : n)

/** [..., n, …, 2]: the axis is an attribute before opset 20 and an input from then on. */
function dftShape(call: Call): Dim[] | null {
  const x = shapeOf(call.inputs[0])
  if (x === null) return null
  const where = whereOf(call)
  const given = call.opset < 20 ? intAttr(call.node, 'axis', 1) : hasInput(call, 2) ? scalarOf(call, 2) : -2
  const onesided = intAttr(call.node, 'onesided', 0) === 1
  const inverse = intAttr(call.node, 'inverse', 0) === 1
  if (typeof given !== 'number') return [...x.slice(0, -1).map(() => null), 2]
  const axis = normalizeAxis(given, x.length, where)
  const length = hasInput(call, 1) ? scalarOf(call, 1) : x[axis]!
  // The inverse of a one-sided spectrum is real, and engines disagree on how they put it out.
  if (onesided && inverse) return x.map((d, i) => (i === axis || i === x.length - 1 ? null : d))
  return x.map((d, i) => (i === axis ? bins(length, onesided) : i === x.length - 1 ? 2 : d))
}

/** [batch, frames, bins, 2]. */
function stftShape(call: Call): Dim[] {
  const signal = shapeOf(call.inputs[0])
  const step = scalarOf(call, 1)
  const window = hasInput(call, 2) ? (shapeOf(call.inputs[2])?.[0] ?? null) : null
  const frame = hasInput(call, 3) ? scalarOf(call, 3) : window
  const length = signal?.[1] ?? null
  const frames =
    typeof length === 'number' && typeof step === 'number' && typeof frame === 'number' && step > 0
      ? Math.floor((length - frame) / step) + 1
      : null
  if (frames !== null && frames < 0)
    throw malformed(whereOf(call), 'the frame is longer than the signal', [frame, length])
  return [signal?.[0] ?? null, frames, bins(frame, intAttr(call.node, 'onesided', 1) === 1), 2]
}

const outputType = (call: Call) => dtypeOfCode(intAttr(call.node, 'output_datatype', 1))

const windowOp = (op: string): OpDef =>
  def(op, 17, {
    inputs: ['size'],
    outputs: ['output'],
    attrs: { output_datatype: 'int', periodic: 'int' },
    infer: (call): (Fact | null)[] => [fact(outputType(call), [scalarOf(call, 0)])],
  })

export const signal: readonly OpDef[] = [
  def('DFT', 17, {
    inputs: ['input', 'dft_length?', 'axis?'],
    outputs: ['output'],
    attrs: { axis: 'int', inverse: 'int', onesided: 'int' },
    infer: (call) => [fact(dtypeOf(call.inputs[0]), dftShape(call))],
    // The number of products depends on the algorithm that the engine picks for the length.
    cost: 'none',
  }),
  def('STFT', 17, {
    inputs: ['signal', 'frame_step', 'window?', 'frame_length?'],
    outputs: ['output'],
    attrs: { onesided: 'int' },
    infer: (call) => [fact(dtypeOf(call.inputs[0]), stftShape(call))],
    cost: 'none',
  }),
  windowOp('HannWindow'),
  windowOp('HammingWindow'),
  windowOp('BlackmanWindow'),
  def('MelWeightMatrix', 17, {
    inputs: ['num_mel_bins', 'dft_length', 'sample_rate', 'lower_edge_hertz', 'upper_edge_hertz'],
    outputs: ['output'],
    attrs: { output_datatype: 'int' },
    infer: (call) => [fact(outputType(call), [bins(scalarOf(call, 1), true), scalarOf(call, 0)])],
  }),
]
