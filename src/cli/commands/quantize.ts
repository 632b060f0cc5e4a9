/** `pare quantize`: one model, one kind. */

import { QUANTIZE_KINDS, type QuantizeKind } from '../../compress/quantize/kinds.js'
import type { Rounding } from '../../compress/quantize/rounder.js'
import type { QuantizeSummary } from '../../compress/summary.js'
import type { RangeMethod } from '../../grids/ranges.js'
import { bytes, counted, significant } from '../../util/format.js'
import { defineCommand } from '../command.js'
import { shapesOf } from '../feeds.js'
import { DATA_OPTIONS, ENGINE_OPTIONS, engineOptions, openData, SEED_OPTION, SHAPE_OPTION, unused } from '../inputs.js'
import { safe, wrap } from '../terminal.js'

const RANGES = ['min-max', 'percentile', 'entropy', 'mse'] as const satisfies RangeMethod[]

export const quantize = defineCommand({
  name: 'quantize',
  summary: 'Make one quantized model',
  positionals: { names: ['model'], min: 1, max: 1 },
  options: {
    to: { kind: 'choice', choices: QUANTIZE_KINDS, required: true, doc: 'what to quantize to' },
    output: { kind: 'text', short: 'o', value: 'file', required: true, doc: 'the file to write' },
    force: { kind: 'flag', doc: 'let --output replace the model itself' },
    ...DATA_OPTIONS,
    range: { kind: 'choice', choices: RANGES, doc: 'how the ranges of activations are found' },
    rounding: {
      kind: 'choice',
      choices: ['nearest', 'gptq', 'adaround'] satisfies Rounding[],
      doc: 'how weights go to integers: each to the nearest (default), or all of a layer for what they do on --data',
    },
    portable: { kind: 'flag', doc: 'keep to standard ONNX operators' },
    ...SHAPE_OPTION,
    ...ENGINE_OPTIONS,
    ...SEED_OPTION,
  },
  examples: [
    'pare quantize model.onnx --to int8 --data samples.npz -o small.onnx',
    'pare quantize model.onnx --to store-int8 -o small.onnx',
    'pare quantize model.onnx --to store-int4 --data samples.npz --rounding gptq -o small.onnx',
  ],
  notes: [
    'int8 computes in integers: with --data the ranges of activations are fixed beforehand (static), without it they are found at each run (dynamic, products only; other weights are stored). int4 packs weights of products in blocks, unless --portable forbids that; what is left becomes int8 as it does without --data. binary and ternary store weights that pare train --round-to made, exactly, and leave others alone. sparse does that with weights of which pruning made many zero; codebook lets the weights of a layer share 32 values. f16 and store-… make the file smaller and compute in float. Whether it became faster or worse, pare bench and pare verify tell; pare compress finds the best kind by itself.',
  ],
  async run([path], options, context) {
    const { to, output, force, range, rounding, portable, seed } = options
    refuseUnused(options)
    const [
      { readModel, writeModel },
      models,
      { withShapes },
      { fixedForm },
      { openEnv },
      library,
      { summarizeQuantization },
      shapes,
    ] = await Promise.all([
      import('../../onnx/files.js'),
      import('../models.js'),
      import('../../passes/with-shapes.js'),
      import('../../passes/fixed-form.js'),
      import('../../passes/node-env.js'),
      import('../../compress/quantize/index.js'),
      import('../../compress/summary.js'),
      shapesOf(options.shape),
    ])
    const read = await readModel(path!)
    await models.protectInput(path!, output, force, { model: read, read: [options.data] })
    const data = await openData(options, models.interfaceOf(withShapes(read, shapes)))
    const { signal, onProgress, warn } = context
    const env = openEnv({ ...engineOptions(options, warn), signal, onProgress, seed })
    try {
      const told: string[] = []
      const request = {
        to,
        portable,
        report: (message: string) => {
          told.push(message)
        },
        ...(rounding && { rounding }),
        ...(data && { samples: data.samples }),
        ...(range === undefined ? {} : { range }),
      }
      const model = await fixedForm(read, shapes, env.engine, { signal, onWarning: warn })
      const result = await library.quantize(model, request, env)
      signal.throwIfAborted()
      const before = await models.modelBytes(path!, read)
      await writeModel(result, output)
      const after = await models.writtenBytes(output)
      const known = before !== null && after !== null
      if (known && after >= before)
        warn(`The result is not smaller than the model: ${bytes(after)} against ${bytes(before)}.`)
      const done = summarizeQuantization(model, result)
      const other = whatIsOther(done, { to, portable })
      if (other !== null) warn(other)
      const json = { output, to, bytes: after, originalBytes: before, done, ...(told.length > 0 && { told }) }
      const size = known
        ? `${safe(output)}: ${bytes(after)}, from ${bytes(before)} (${significant(before / after)}× smaller).`
        : `${safe(output)} is written.`
      const lines = [doneText(done, to), ...told].map((line) => wrap(line, Math.min(100, context.terminal.columns)))
      return { text: [size, ...lines].join('\n'), json }
    } finally {
      await env.close()
    }
  },
})

interface Asked {
  readonly to: QuantizeKind
  readonly data: string | undefined
  readonly range: RangeMethod | undefined
  readonly rounding: Rounding | undefined
}

/** Throws `OPTION_UNUSED`: what is asked for and has no effect is a misunderstanding. */
function refuseUnused({ to, data, range, rounding }: Asked): void {
  if (range !== undefined && (data === undefined || to !== 'int8')) {
    throw unused('--range', 'there are no ranges of activations to find', 'Give samples with --to int8 --data.')
  }
  if (rounding === undefined || rounding === 'nearest') return
  if (data === undefined)
    throw unused('--rounding', 'it looks at what layers do on samples', 'Give samples with --data.')
  if (!/^(int|store-int)/.test(to)) throw unused('--rounding', `${to} has no integers to round to`, 'Leave it out.')
}

/** One sentence. */
function doneText(done: QuantizeSummary, to: QuantizeKind): string {
  const products = (n: number): string => counted(n, 'product')
  const weights = (n: number): string => counted(n, 'weight')
  const parts = [
    to === 'int4' || done.blocks4 > 0 ? `${products(done.blocks4)} in blocks of 4 bits` : '',
    done.static > 0 ? `${counted(done.static, 'layer')} in static int8` : '',
    done.dynamic > 0 ? `${products(done.dynamic)} in dynamic int8` : '',
    done.dynamicLstm > 0 ? `${done.dynamicLstm} LSTM in dynamic int8` : '',
    done.storedInt8 > 0 ? `${weights(done.storedInt8)} stored as int8` : '',
    done.storedInt4 > 0 ? `${weights(done.storedInt4)} stored as int4` : '',
    done.storedFloat16 > 0 ? `${weights(done.storedFloat16)} stored as float16` : '',
    done.storedBinary > 0 ? `${weights(done.storedBinary)} stored as bits` : '',
    done.storedTernary > 0 ? `${weights(done.storedTernary)} of three values stored in 1.6 bits` : '',
    done.storedInt6 > 0 ? `${weights(done.storedInt6)} stored as int6` : '',
    done.storedInt5 > 0 ? `${weights(done.storedInt5)} stored as int5` : '',
    done.storedInt3 > 0 ? `${weights(done.storedInt3)} stored as int3` : '',
    done.storedInt2 > 0 ? `${weights(done.storedInt2)} stored as int2` : '',
    done.storedCodebook > 0 ? `${weights(done.storedCodebook)} stored as places in a codebook` : '',
    done.storedSparse > 0 ? `${weights(done.storedSparse)} stored without their zeros` : '',
  ]
  return `Now: ${parts.filter((part) => part !== '').join(', ') || 'cleaned only'}.`
}

/** What was done instead of what was asked for; null where it was done. */
function whatIsOther(
  done: QuantizeSummary,
  { to, portable }: { readonly to: QuantizeKind; readonly portable: boolean },
): string | null {
  if (to === 'int4' && done.blocks4 === 0) {
    const why = portable
      ? 'MatMulNBits, which computes with them, is no operator of the standard, and --portable keeps to that'
      : 'there is no MatMul or Gemm with a constant weight of 1024 elements or more'
    return `No weight is in 4 bits: ${why}. This is the int8 model; --to store-int4 stores weights of every kind in 4 bits.`
  }
  return null
}
