/** Classical models of the ai.onnx.ml domain. X is [N, features]; a vector counts as one row. */

import { intAttr, intsAttr, stringsAttr, tensorOf } from '../ir/attrs.js'
import type { Dim, DType, Node, Value } from '../ir/types.js'
import { type Call, type Cost, dtypeOf, type Fact, type OpDef, shapeOf } from './def.js'
import { def, fact, like, map, move } from './make.js'
import { product } from './shapes.js'

const ML = 'ai.onnx.ml'
const POST = { post_transform: 'string' } as const

/** N of the input; null where unknown. */
function rows(call: Call): Dim {
  const x = shapeOf(call.inputs[0])
  return x === null ? null : x.length === 1 ? 1 : (x[0] ?? null)
}

const features = (call: Call): Dim => shapeOf(call.inputs[0])?.at(-1) ?? null

/** Class labels of a classifier, which are whole numbers or strings. */
interface Labels {
  readonly dtype: DType
  readonly count: number
}

function labelsOf(node: Node, ints: string): Labels {
  const strings = stringsAttr(node, 'classlabels_strings')
  if (strings !== undefined && strings.length > 0) return { dtype: 'string', count: strings.length }
  return { dtype: 'int64', count: intsAttr(node, ints)?.length ?? 0 }
}

/** The label of each row, and its scores: one a class. */
function classified(call: Call, ints: string, scores?: (labels: Labels) => Dim): (Fact | null)[] {
  const labels = labelsOf(call.node, ints)
  const columns = scores ? scores(labels) : labels.count === 0 ? null : labels.count
  return [fact(labels.dtype, [rows(call)]), fact('float32', [rows(call), columns])]
}

function macsOf(...dims: readonly Dim[]): Cost | null {
  const macs = product(dims)
  return typeof macs === 'number' ? { macs } : null
}

const ml1 = (op: string, spec: Omit<Parameters<typeof def>[2], 'domain'>): OpDef => def(op, 1, { ...spec, domain: ML })

/** Support vectors times features, a row each. */
const svmCost = (call: Call): Cost | null => {
  const supports = call.node.attrs.support_vectors
  return supports?.type === 'floats' ? macsOf(rows(call), supports.value.length) : null
}

const SVM_ATTRS = {
  coefficients: 'floats',
  kernel_params: 'floats',
  kernel_type: 'string',
  rho: 'floats',
  support_vectors: 'floats',
  ...POST,
} as const

const TREE_ATTRS = {
  base_values: 'floats',
  base_values_as_tensor: 'tensor',
  nodes_falsenodeids: 'ints',
  nodes_featureids: 'ints',
  nodes_hitrates: 'floats',
  nodes_hitrates_as_tensor: 'tensor',
  nodes_missing_value_tracks_true: 'ints',
  nodes_modes: 'strings',
  nodes_nodeids: 'ints',
  nodes_treeids: 'ints',
  nodes_truenodeids: 'ints',
  nodes_values: 'floats',
  nodes_values_as_tensor: 'tensor',
  ...POST,
} as const

/** The type that a label encoder maps to: that of whichever list of values it holds. */
function encodedType(node: Node): DType {
  const values = tensorOf(node, 'values_tensor')
  if (values !== undefined) return values.dtype
  if (node.attrs.values_int64s) return 'int64'
  if (node.attrs.values_floats) return 'float32'
  if (node.attrs.values_strings) return 'string'
  return 'undefined'
}

/** Version 1 maps between strings and whole numbers, whichever the input is not. */
const encoded = (call: Call): DType =>
  call.opset >= 2 ? encodedType(call.node) : dtypeOf(call.inputs[0]) === 'string' ? 'int64' : 'string'

/** A map from label to score for each row. */
function zipMap(call: Call): Fact {
  const key: DType = stringsAttr(call.node, 'classlabels_strings') ? 'string' : 'int64'
  const score: Value = { kind: 'tensor', dtype: 'float32', shape: [] }
  return { value: { kind: 'sequence', element: { kind: 'map', key, element: score } } }
}

/** The picked columns: [..., picks]; from a vector, one row. */
function extracted(call: Call): Dim[] | null {
  const x = shapeOf(call.inputs[0])
  if (x === null) return null
  const picks = shapeOf(call.inputs[1])
  return [...(x.length === 1 ? [1] : x.slice(0, -1)), picks === null ? null : product(picks)]
}

/** The input's shape and one axis of categories. */
function oneHot(call: Call): Dim[] | null {
  const x = shapeOf(call.inputs[0])
  const categories = intsAttr(call.node, 'cats_int64s') ?? stringsAttr(call.node, 'cats_strings')
  return x && [...x, categories?.length ?? null]
}

export const ml: readonly OpDef[] = [
  ml1('LinearRegressor', {
    inputs: ['X'],
    outputs: ['Y'],
    attrs: { coefficients: 'floats', intercepts: 'floats', targets: 'int', ...POST },
    infer: (call) => [fact('float32', [rows(call), intAttr(call.node, 'targets', 1)])],
    cost: (call) => macsOf(rows(call), features(call), intAttr(call.node, 'targets', 1)),
  }),
  ml1('LinearClassifier', {
    inputs: ['X'],
    outputs: ['Y', 'Z'],
    attrs: {
      classlabels_ints: 'ints',
      classlabels_strings: 'strings',
      coefficients: 'floats',
      intercepts: 'floats',
      multi_class: 'int',
      ...POST,
    },
    infer: (call) => classified(call, 'classlabels_ints'),
    cost: (call) => {
      const weights = call.node.attrs.coefficients
      return weights?.type === 'floats' ? macsOf(rows(call), weights.value.length) : null
    },
  }),
  ml1('SVMRegressor', {
    inputs: ['X'],
    outputs: ['Y'],
    attrs: { ...SVM_ATTRS, n_supports: 'int', one_class: 'int' },
    infer: (call) => [fact('float32', [rows(call), 1])],
    cost: svmCost,
  }),
  ml1('SVMClassifier', {
    inputs: ['X'],
    outputs: ['Y', 'Z'],
    attrs: {
      ...SVM_ATTRS,
      classlabels_ints: 'ints',
      classlabels_strings: 'strings',
      prob_a: 'floats',
      prob_b: 'floats',
      vectors_per_class: 'ints',
    },
    // Without probabilities the scores are one a pair of classes, and engines differ on two classes.
    infer: (call) => classified(call, 'classlabels_ints', (l) => (call.node.attrs.prob_a ? l.count : null)),
    cost: svmCost,
  }),
  ml1('TreeEnsembleRegressor', {
    inputs: ['X'],
    outputs: ['Y'],
    attrs: {
      ...TREE_ATTRS,
      aggregate_function: 'string',
      n_targets: 'int',
      target_ids: 'ints',
      target_nodeids: 'ints',
      target_treeids: 'ints',
      target_weights: 'floats',
      target_weights_as_tensor: 'tensor',
    },
    infer: (call) => [fact('float32', [rows(call), intAttr(call.node, 'n_targets') ?? null])],
  }),
  ml1('TreeEnsembleClassifier', {
    inputs: ['X'],
    outputs: ['Y', 'Z'],
    attrs: {
      ...TREE_ATTRS,
      class_ids: 'ints',
      class_nodeids: 'ints',
      class_treeids: 'ints',
      class_weights: 'floats',
      class_weights_as_tensor: 'tensor',
      classlabels_int64s: 'ints',
      classlabels_strings: 'strings',
    },
    infer: (call) => classified(call, 'classlabels_int64s'),
  }),
  ml1('Scaler', {
    inputs: ['X'],
    outputs: ['Y'],
    attrs: { offset: 'floats', scale: 'floats' },
    infer: (call) => [like(call, 0, 'float32')],
    quant: map(0),
  }),
  ml1('Normalizer', {
    inputs: ['X'],
    outputs: ['Y'],
    attrs: { norm: 'string' },
    infer: (call) => [like(call, 0, 'float32')],
    quant: map(0),
  }),
  ml1('Binarizer', {
    inputs: ['X'],
    outputs: ['Y'],
    attrs: { threshold: 'float' },
    infer: (call) => [like(call)],
  }),
  ml1('Imputer', {
    inputs: ['X'],
    outputs: ['Y'],
    attrs: {
      imputed_value_floats: 'floats',
      imputed_value_int64s: 'ints',
      replaced_value_float: 'float',
      replaced_value_int64: 'int',
    },
    infer: (call) => [like(call)],
  }),
  ml1('ArrayFeatureExtractor', {
    inputs: ['X', 'Y'],
    outputs: ['Z'],
    infer: (call) => [fact(dtypeOf(call.inputs[0]), extracted(call))],
    quant: move(0),
  }),
  ml1('OneHotEncoder', {
    inputs: ['X'],
    outputs: ['Y'],
    attrs: { cats_int64s: 'ints', cats_strings: 'strings', zeros: 'int' },
    infer: (call) => [fact('float32', oneHot(call))],
  }),
  ml1('LabelEncoder', {
    inputs: ['X'],
    outputs: ['Y'],
    attrs: {
      classes_strings: 'strings',
      default_float: 'float',
      default_int64: 'int',
      default_string: 'string',
      default_tensor: 'tensor',
      keys_floats: 'floats',
      keys_int64s: 'ints',
      keys_strings: 'strings',
      keys_tensor: 'tensor',
      values_floats: 'floats',
      values_int64s: 'ints',
      values_strings: 'strings',
      values_tensor: 'tensor',
    },
    infer: (call) => [like(call, 0, encoded(call))],
  }),
  ml1('ZipMap', {
    inputs: ['X'],
    outputs: ['Z'],
    attrs: { classlabels_int64s: 'ints', classlabels_strings: 'strings' },
    infer: (call) => [zipMap(call)],
  }),
]
