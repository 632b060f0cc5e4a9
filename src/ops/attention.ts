/**
 * Attention, rotary embedding and the fused activations of transformer exports. Letters: B batch, S queries, L keys
 * given, P past keys, T = P + L keys seen, N heads, D head size of queries and keys, V of values.
 * Products of attention itself: B·N·S·T·(D + V).
 */

import { intAttr, intsAttr } from '../ir/attrs.js'
import type { Dim, DType } from '../ir/types.js'
import { broadcastAxes } from './axes/tools.js'
import { type Call, type Cost, dtypeOf, type Fact, type OpDef, shapeOf } from './def.js'
import { commonDType, def, fact, like, map } from './make.js'
import { addDim, hasInput, malformed, mulDim, product, scalarOf, unify, whereOf } from './shapes.js'

/** a / b; null unless both are known. Throws where it leaves a rest. */
function divide(call: Call, a: Dim, b: Dim): Dim {
  if (b === 1) return a
  if (typeof a !== 'number' || typeof b !== 'number' || b === 0) return null
  if (a % b !== 0) throw malformed(whereOf(call), `${a} channels do not divide into ${b} heads`)
  return a / b
}

/** Everything that shapes and products follow from. */
interface Heads {
  readonly dtype: DType
  readonly batch: Dim
  readonly queries: Dim
  readonly keys: Dim
  readonly heads: Dim
  readonly kvHeads: Dim
  readonly headSize: Dim
  readonly valueSize: Dim
}

const attentionMacs = (h: Heads): Dim => product([h.batch, h.heads, h.queries, h.keys, addDim(h.headSize, h.valueSize)])

const costOf = (...dims: readonly Dim[]): Cost | null => {
  let macs = 0
  for (const d of dims) {
    if (typeof d !== 'number') return null
    macs += d
  }
  return { macs }
}

/** [B, S, N·V]. */
const merged = (h: Heads): Fact | null => fact(h.dtype, [h.batch, h.queries, mulDim(h.heads, h.valueSize)])
const presentKey = (h: Heads): Fact | null => fact(h.dtype, [h.batch, h.kvHeads, h.keys, h.headSize])
const presentValue = (h: Heads): Fact | null => fact(h.dtype, [h.batch, h.kvHeads, h.keys, h.valueSize])
const scores = (h: Heads): Fact | null => fact(h.dtype, [h.batch, h.heads, h.queries, h.keys])

/** Length of a past tensor [B, N, P, D]; 0 where the node has none. */
const pastLength = (call: Call, input: number, axis = 2): Dim =>
  hasInput(call, input) ? (shapeOf(call.inputs[input])?.[axis] ?? null) : 0

/** Standard Attention: Q, K, V are [B, S, N·D], or [B, N, S, D]. */
function standardHeads(call: Call): (Heads & { readonly split: boolean }) | null {
  const [q, k, v] = [0, 1, 2].map((i) => shapeOf(call.inputs[i]))
  if (!q || !k || !v) return null
  const past = pastLength(call, 4)
  const common = { dtype: dtypeOf(call.inputs[0]), batch: unify(q[0]!, k[0]!, whereOf(call)) }
  if (q.length === 4) {
    return {
      ...common,
      split: true,
      queries: q[2]!,
      keys: addDim(past, k[2] ?? null),
      heads: q[1]!,
      kvHeads: k[1]!,
      headSize: q[3]!,
      valueSize: v[3] ?? null,
    }
  }
  const heads = intAttr(call.node, 'q_num_heads') ?? null
  const kvHeads = intAttr(call.node, 'kv_num_heads') ?? null
  return {
    ...common,
    split: false,
    queries: q[1]!,
    keys: addDim(past, k[1] ?? null),
    heads,
    kvHeads,
    headSize: divide(call, q[2] ?? null, heads),
    valueSize: divide(call, v[2] ?? null, kvHeads),
  }
}

function standardAttention(call: Call): (Fact | null)[] {
  const h = standardHeads(call)
  if (h === null) return [null, null, null, null]
  const y = h.split ? fact(h.dtype, [h.batch, h.heads, h.queries, h.valueSize]) : merged(h)
  return [y, presentKey(h), presentValue(h), scores(h)]
}

/** com.microsoft Attention: input [B, S, I] times weights [I, Hq + Hk + Hv], then heads. */
function packedHeads(call: Call): (Heads & { readonly input: Dim; readonly columns: Dim }) | null {
  const x = shapeOf(call.inputs[0])
  if (x === null) return null
  const columns = shapeOf(call.inputs[1])?.[1] ?? null
  const heads = intAttr(call.node, 'num_heads') ?? null
  const [hq, , hv] = intsAttr(call.node, 'qkv_hidden_sizes') ?? []
  const each = hq === undefined ? divide(call, columns, 3) : null
  return {
    dtype: dtypeOf(call.inputs[0]),
    batch: x[0]!,
    queries: x[1] ?? null,
    keys: addDim(pastLength(call, 4, 3), x[1] ?? null),
    heads,
    kvHeads: heads,
    headSize: divide(call, hq ?? each, heads),
    valueSize: divide(call, hv ?? each, heads),
    input: x[2] ?? null,
    columns,
  }
}

function packedAttention(call: Call): (Fact | null)[] {
  const h = packedHeads(call)
  if (h === null) return [null, null]
  return [merged(h), fact(h.dtype, [2, h.batch, h.heads, h.keys, h.headSize])]
}

/** MultiHeadAttention: query [B, S, N·D], or all packed [B, S, N, 3, D]; key [B, L, N·D], [B, N, L, D] or with value [B, L, N, 2, D]. */
function multiHeads(call: Call): Heads | null {
  const q = shapeOf(call.inputs[0])
  if (q === null) return null
  const heads = intAttr(call.node, 'num_heads') ?? null
  const past = pastLength(call, 6)
  const common = { dtype: dtypeOf(call.inputs[0]), batch: q[0]!, queries: q[1] ?? null, heads, kvHeads: heads }
  if (q.length === 5) {
    return { ...common, keys: addDim(past, q[1]!), headSize: q[4]!, valueSize: q[4]! }
  }
  const headSize = divide(call, q[2] ?? null, heads)
  const k = shapeOf(call.inputs[1])
  if (k === null) return { ...common, keys: null, headSize, valueSize: null }
  if (k.length === 5) return { ...common, keys: addDim(past, k[1]!), headSize, valueSize: headSize }
  const v = shapeOf(call.inputs[2])
  const valueSize = v?.length === 4 ? v[3]! : divide(call, v?.[2] ?? null, heads)
  return { ...common, keys: addDim(past, (k.length === 4 ? k[2] : k[1]) ?? null), headSize, valueSize }
}

function multiHeadAttention(call: Call): (Fact | null)[] {
  const h = multiHeads(call)
  return h === null ? [null, null, null, null] : [merged(h), presentKey(h), presentValue(h), scores(h)]
}

/** GroupQueryAttention: query [B, S, N·D], or packed [B, S, (N + 2·Nkv)·D] without key and value. */
function groupHeads(call: Call): Heads | null {
  const q = shapeOf(call.inputs[0])
  if (q === null) return null
  const heads = intAttr(call.node, 'num_heads') ?? null
  const kvHeads = intAttr(call.node, 'kv_num_heads') ?? null
  const packed = !hasInput(call, 1)
  const parts = packed ? addDim(heads, mulDim(2, kvHeads)) : heads
  const headSize = divide(call, q[2] ?? null, parts)
  return {
    dtype: dtypeOf(call.inputs[0]),
    batch: q[0]!,
    queries: q[1] ?? null,
    keys: presentLength(call),
    heads,
    kvHeads,
    headSize,
    valueSize: headSize,
  }
}

/** The cache holds the past's buffer or all tokens so far (input 6), whichever is longer. */
function presentLength(call: Call): Dim {
  const past = pastLength(call, 3)
  const total = scalarOf(call, 6)
  if (past === 0) return total
  return typeof past === 'number' && typeof total === 'number' ? Math.max(past, total) : null
}

function groupQueryAttention(call: Call): (Fact | null)[] {
  const h = groupHeads(call)
  if (h === null) return [null, null, null, null]
  const cached = (f: Fact | null, input: number): Fact | null =>
    hasInput(call, input) ? fact(dtypeOf(call.inputs[input]), shapeOf(f)) : f
  return [merged(h), cached(presentKey(h), 3), cached(presentValue(h), 4), null]
}

/** Products with the tokens there are (input 6), not with the whole buffer. */
function groupCost(call: Call): Cost | null {
  const h = groupHeads(call)
  return h && costOf(attentionMacs({ ...h, keys: scalarOf(call, 6) }))
}

const elementwise = (op: string, inputs: readonly string[], attrs: OpDef['schema']['attrs'] = {}): OpDef =>
  def(op, 1, {
    domain: 'com.microsoft',
    inputs,
    outputs: ['Y'],
    attrs,
    infer: (call) => [like(call)],
    quant: map(0),
    axes: broadcastAxes(),
  })

const ROTARY_ATTRS = { interleaved: 'int', num_heads: 'int', rotary_embedding_dim: 'int' } as const

export const attention: readonly OpDef[] = [
  def('Attention', 23, {
    inputs: ['Q', 'K', 'V', 'attn_mask?', 'past_key?', 'past_value?', 'nonpad_kv_seqlen?'],
    outputs: ['Y', 'present_key?', 'present_value?', 'qk_matmul_output?'],
    attrs: {
      is_causal: 'int',
      kv_num_heads: 'int',
      left_window_size: 'int',
      q_num_heads: 'int',
      qk_matmul_output_mode: 'int',
      right_window_size: 'int',
      scale: 'float',
      softcap: 'float',
      softmax_precision: 'int',
    },
    infer: standardAttention,
    cost: (call) => {
      const h = standardHeads(call)
      return h && costOf(attentionMacs(h))
    },
  }),
  def('RotaryEmbedding', 23, {
    inputs: ['X', 'cos_cache', 'sin_cache', 'position_ids?'],
    outputs: ['Y'],
    attrs: ROTARY_ATTRS,
    infer: (call) => [like(call)],
  }),
  def('Attention', 1, {
    domain: 'com.microsoft',
    inputs: ['input', 'weights', 'bias?', 'mask_index?', 'past?', 'attention_bias?', 'past_sequence_length?'],
    outputs: ['output', 'present?'],
    attrs: {
      do_rotary: 'int',
      mask_filter_value: 'float',
      num_heads: 'int',
      past_present_share_buffer: 'int',
      qkv_hidden_sizes: 'ints',
      rotary_embedding_dim: 'int',
      scale: 'float',
      unidirectional: 'int',
    },
    infer: packedAttention,
    // The projection comes on top: B·S·I·(Hq + Hk + Hv).
    cost: (call) => {
      const h = packedHeads(call)
      return h && costOf(product([h.batch, h.queries, h.input, h.columns]), attentionMacs(h))
    },
    quant: { kind: 'weighted', data: [0], weights: [1], bias: 2, channelAxis: () => 1 },
  }),
  def('MultiHeadAttention', 1, {
    domain: 'com.microsoft',
    inputs: [
      'query',
      'key?',
      'value?',
      'bias?',
      'key_padding_mask?',
      'attention_bias?',
      'past_key?',
      'past_value?',
      'past_sequence_length?',
      'cache_indirection?',
    ],
    outputs: ['output', 'present_key?', 'present_value?', 'qk?'],
    attrs: { mask_filter_value: 'float', num_heads: 'int', scale: 'float', unidirectional: 'int' },
    infer: multiHeadAttention,
    cost: (call) => {
      const h = multiHeads(call)
      return h && costOf(attentionMacs(h))
    },
  }),
  def('GroupQueryAttention', 1, {
    domain: 'com.microsoft',
    inputs: [
      'query',
      'key?',
      'value?',
      'past_key?',
      'past_value?',
      'seqlens_k',
      'total_sequence_length',
      'cos_cache?',
      'sin_cache?',
      'position_ids?',
      'attention_bias?',
      'head_sink?',
      'k_scale?',
      'v_scale?',
      'q_norm_weight?',
      'k_norm_weight?',
      'query_seqlens?',
    ],
    outputs: ['output', 'present_key?', 'present_value?', 'output_qk?'],
    attrs: {
      causal: 'int',
      do_rotary: 'int',
      k_norm_epsilon: 'float',
      k_quant_type: 'string',
      kv_cache_bit_width: 'int',
      kv_num_heads: 'int',
      local_window_size: 'int',
      num_heads: 'int',
      q_norm_epsilon: 'float',
      qk_norm_epsilon: 'float',
      qk_output: 'int',
      rotary_interleaved: 'int',
      scale: 'float',
      sliding_window_cache: 'int',
      smooth_softmax: 'int',
      softcap: 'float',
      v_quant_type: 'string',
    },
    infer: groupQueryAttention,
    cost: groupCost,
  }),
  def('BiasGelu', 1, {
    domain: 'com.microsoft',
    inputs: ['A', 'B'],
    outputs: ['C'],
    infer: (call) => [like(call, 0, commonDType(call, [0, 1]))],
    quant: map(0, 1),
    axes: broadcastAxes(),
  }),
  elementwise('FastGelu', ['X', 'bias?']),
  elementwise('Gelu', ['X']),
  elementwise('QuickGelu', ['X'], { alpha: 'float' }),
  def('RotaryEmbedding', 1, {
    domain: 'com.microsoft',
    inputs: ['input', 'position_ids', 'cos_cache', 'sin_cache'],
    outputs: ['output'],
    attrs: { ...ROTARY_ATTRS, is_packed_batching: 'int', scale: 'float' },
    infer: (call) => [like(call)],
  }),
]
