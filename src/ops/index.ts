/** All records, and the one that a node's op has. */

import { activation } from './activation.js'
import { arithmetic } from './arithmetic.js'
import { attention } from './attention.js'
import { control } from './control.js'
import { conv } from './conv.js'
import type { OpDef } from './def.js'
import { generate } from './generate.js'
import { logic } from './logic.js'
import { matmul } from './matmul.js'
import { ml } from './ml.js'
import { movement } from './movement.js'
import { norm } from './norm.js'
import { pool } from './pool.js'
import { quantization } from './quantization.js'
import { reduction } from './reduction.js'
import { rnn } from './rnn.js'
import { sequence } from './sequence.js'
import { signal } from './signal.js'
import { unary } from './unary.js'

/** The families, by name. */
export const FAMILIES = {
  arithmetic,
  logic,
  unary,
  activation,
  reduction,
  movement,
  generate,
  sequence,
  conv,
  matmul,
  pool,
  norm,
  rnn,
  attention,
  quantization,
  control,
  signal,
  ml,
} as const satisfies Record<string, readonly OpDef[]>

export const OPS: readonly OpDef[] = Object.values(FAMILIES).flat()

const key = (domain: string, op: string): string => `${domain === 'ai.onnx' ? '' : domain}:${op}`

const BY_NAME: ReadonlyMap<string, OpDef> = new Map(OPS.map((def) => [key(def.domain, def.op), def]))

/** The record of an op; undefined where there is none. `ai.onnx` and '' are one domain. */
export const findOp = (domain: string, op: string): OpDef | undefined => BY_NAME.get(key(domain, op))
