/** Making everything of one model that the table compares: each kind of `quantize`, and `compress` for several budgets. */

import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { quantize } from '../../src/compress/quantize/index.js'
import type { QuantizeKind } from '../../src/compress/quantize/kinds.js'
import type { Samples } from '../../src/data/samples.js'
import type { Engine } from '../../src/engine/engine.js'
import { encodeModel } from '../../src/onnx/codec.js'
import { readModel } from '../../src/onnx/files.js'
import { openEnv } from '../../src/passes/node-env.js'
import { compress } from '../../src/search/compress.js'
import { PareError } from '../../src/util/errors.js'

/** One way of making a file. Where nothing came of it, `note` says why. */
export interface Made {
  readonly name: string
  readonly file: { readonly path: string; readonly bytes: number; readonly sha256: string } | null
  readonly note: string
  readonly seconds: number
}

export const KINDS: readonly { readonly name: string; readonly to: QuantizeKind; readonly calibrated: boolean }[] = [
  { name: 'int8, samples', to: 'int8', calibrated: true },
  { name: 'int8', to: 'int8', calibrated: false },
  { name: 'int4', to: 'int4', calibrated: false },
  { name: 'f16', to: 'f16', calibrated: false },
  { name: 'store-int8', to: 'store-int8', calibrated: false },
  { name: 'store-int4', to: 'store-int4', calibrated: false },
]

export interface Source {
  readonly path: string
  /** Calibration samples; labels are not looked at. */
  readonly samples: Samples
  /** Declared output of class scores. */
  readonly scores?: string
  /** Where files go. */
  readonly folder: string
}

export async function makeKind({ path, samples, folder }: Source, kind: (typeof KINDS)[number], engine: Engine) {
  return timed(kind.name, async () => {
    const options = { to: kind.to, ...(kind.calibrated && { samples }) }
    try {
      const model = await quantize(await readModel(path), options, openEnv({ engine }))
      return { file: keep(folder, kind.name, encodeModel(model).bytes), note: '' }
    } catch (error) {
      if (error instanceof PareError && error.code === 'QUANTIZE_NOTHING') return { file: null, note: error.message }
      throw error
    }
  })
}

export interface Budget {
  readonly objective: 'latency' | 'size'
  readonly maxDrop: number
}

/** What `compress` may lose without a peer to compare with: 2 % relative error, or 2 % of the first classes changed. */
const MAX_DROP = 0.02

/** The budgets that stand for themselves. */
export const OWN_BUDGETS: readonly Budget[] = [
  { objective: 'latency', maxDrop: MAX_DROP },
  { objective: 'size', maxDrop: MAX_DROP },
]

export const budgetName = ({ objective, maxDrop }: Budget): string =>
  `compress for ${objective}, drop ≤ ${Number(maxDrop.toPrecision(3))}`

/** `compress` at one thread, without labels. The journal stays in the folder, so that a search cut off goes on. */
export async function makeCompressed({ path, samples, scores, folder }: Source, budget: Budget): Promise<Made> {
  const name = budgetName(budget)
  return timed(name, async () => {
    const { outcome, bytes } = await compress(await readModel(path), {
      original: new Uint8Array(readFileSync(path)),
      samples: withoutLabels(samples),
      maxDrop: budget.maxDrop,
      for: budget.objective,
      threads: 1,
      runFolder: join(folder, `${slug(name)}.run`),
      resume: true,
      ...(scores !== undefined && { scores }),
    })
    const chosen = outcome.trials.find((t) => t.trial.id === outcome.chosen)
    const note = chosen === undefined ? outcome.verdict : chosen.trial.name
    return { file: bytes === null ? null : keep(folder, name, bytes), note }
  })
}

export const withoutLabels = (samples: Samples): Samples => ({
  ...samples,
  async *read(options) {
    for await (const { label: _, ...sample } of samples.read(options)) yield sample
  },
})

async function timed(name: string, make: () => Promise<Pick<Made, 'file' | 'note'>>): Promise<Made> {
  const start = performance.now()
  const made = await make()
  return { name, ...made, seconds: (performance.now() - start) / 1000 }
}

function keep(folder: string, name: string, bytes: Uint8Array): NonNullable<Made['file']> {
  mkdirSync(folder, { recursive: true })
  const path = join(folder, `${slug(name)}.onnx`)
  writeFileSync(path, bytes)
  return { path, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }
}

export const slug = (name: string): string => name.replaceAll(/[^a-z0-9.]+/gi, '-')
