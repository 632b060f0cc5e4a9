/**
 * Every change of an op of the standard domain from opset 8 to 21 (an op's first version is no change): what converts
 * a node where its meaning or form changed, and which ops only gained types, attributes or inputs with defaults that
 * keep the old meaning. Source: the ONNX operator changelog; a test holds both tables against the full list.
 */

import { refuse, type Step } from './converter.js'
import {
  dropoutMask,
  gridSample,
  groupNorm,
  inferenceBatchNorm,
  resize,
  resizeInputs,
  roiAlign,
  scatter,
  softmax,
  spatialBatchNorm,
  upsample,
} from './meanings.js'
import { clip, dft, dropout, intsToInput, pad, slice, splitOutputs, topK, upsampleScales } from './moves.js'

const axes = intsToInput('axes', 1)

/** By the version that a step leads to. */
export const STEPS: Readonly<Record<number, Step>> = {
  9: {
    BatchNormalization: spatialBatchNorm,
    Upsample: upsampleScales,
    Scan: refuse('its batch axis and sequence lengths ended with opset 9'),
  },
  10: { Dropout: dropoutMask, Slice: slice, TopK: topK, Upsample: upsample },
  11: { Clip: clip, Pad: pad, Resize: resize, Scatter: scatter },
  12: { Dropout: dropout },
  13: {
    Hardmax: softmax,
    LogSoftmax: softmax,
    ReduceSum: axes,
    Resize: resizeInputs,
    Softmax: softmax,
    Split: intsToInput('split', 1),
    Squeeze: axes,
    Unsqueeze: axes,
  },
  14: { BatchNormalization: inferenceBatchNorm },
  16: { RoiAlign: roiAlign },
  18: {
    ReduceL1: axes,
    ReduceL2: axes,
    ReduceLogSum: axes,
    ReduceLogSumExp: axes,
    ReduceMax: axes,
    ReduceMean: axes,
    ReduceMin: axes,
    ReduceProd: axes,
    ReduceSumSquare: axes,
    Split: splitOutputs,
  },
  20: { DFT: dft, GridSample: gridSample },
  21: { GroupNormalization: groupNorm },
}

/**
 * Ops that mean the same after a step. Two of them are looser in words than in the engine, whose kernels serve both
 * sides of the step alike: OneHot 11 counts negative indices from the end, ConvTranspose 11 names the side that an
 * odd padding of SAME_UPPER goes to.
 */
export const UNCHANGED: Readonly<Record<number, string>> = {
  8: 'Max MaxPool Mean Min Sum',
  9: 'Cast Constant Flatten Gemm Greater Less MatMul PRelu',
  10: 'AveragePool MaxPool',
  11: `ArgMax ArgMin AveragePool Compress Concat Constant Conv ConvTranspose DepthToSpace Equal Flatten Gather Gemm
    Hardmax If LogSoftmax Loop LpPool MaxPool MaxUnpool NonMaxSuppression OneHot ReduceL1 ReduceL2 ReduceLogSum
    ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Scan Slice Softmax Split
    Squeeze TopK Unsqueeze`,
  12: 'ArgMax ArgMin Clip Constant GatherND Max MaxPool Min Pow ReduceMax ReduceMin',
  13: `Abs Add ArgMax ArgMin Cast Ceil Clip Concat Constant DepthToSpace DequantizeLinear Div Dropout Equal Erf Exp
    Expand Flatten Floor Gather GatherElements GatherND Gemm Greater Identity If IsNaN LRN Less Log Loop MatMul Max
    Mean MeanVarianceNormalization Min Mod Mul Neg NegativeLogLikelihoodLoss NonZero Pad Pow QuantizeLinear Reciprocal
    ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSumSquare Relu
    Reshape ScatterElements ScatterND Shape Sigmoid Sign Size Slice SoftmaxCrossEntropyLoss SpaceToDepth Sqrt Sub Sum
    Tanh Tile Transpose`,
  14: 'Add CumSum Div GRU Identity LSTM Mul RNN Relu Reshape Sub',
  15: 'BatchNormalization Pow Shape',
  16: 'GreaterOrEqual Identity If LeakyRelu LessOrEqual Loop PRelu Scan ScatterElements ScatterND Where',
  18: 'LpPool OptionalGetElement OptionalHasElement Pad Resize ScatterElements ScatterND',
  19: `AveragePool Cast CastLike Constant DequantizeLinear Equal Identity If Loop Pad QuantizeLinear Reshape Resize Scan
    Shape Size`,
  20: 'ConstantOfShape IsInf IsNaN ReduceMax ReduceMin',
  21: `Cast CastLike Constant ConstantOfShape DequantizeLinear Flatten Identity If Loop Pad QLinearMatMul QuantizeLinear
    Reshape Scan Shape Size Squeeze Transpose Unsqueeze`,
}

export const OLDEST = 7
export const NEWEST = 21

/** The IR version that the release which brought an opset wrote (ONNX, docs/Versioning.md). */
export function irVersionOf(opset: number): number {
  if (opset >= 21) return 10
  if (opset >= 19) return 9
  if (opset >= 15) return 8
  if (opset >= 12) return 7
  if (opset === 11) return 6
  return opset === 10 ? 5 : opset === 9 ? 4 : 3
}
