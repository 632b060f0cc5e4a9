/** `pare factorize`: layers of low rank taken apart. */

import type { FactorizedLayer, FactorizeOptions } from '../../compress/factorize/index.js'
import { bytes, percent, significant } from '../../util/format.js'
import { type Context, defineCommand } from '../command.js'
import { shapesOf } from '../feeds.js'
import { DATA_OPTIONS, ENGINE_OPTIONS, engineOptions, openData, SEED_OPTION, SHAPE_OPTION, unused } from '../inputs.js'
import { table } from '../table.js'
import { safe } from '../terminal.js'

const METHODS = ['svd', 'tucker', 'fewest', 'slice'] as const satisfies FactorizeOptions['method'][]

export const factorize = defineCommand({
  name: 'factorize',
  summary: 'Take layers of low rank apart',
  positionals: { names: ['model'], min: 1, max: 1 },
  options: {
    output: { kind: 'text', short: 'o', value: 'file', required: true, doc: 'the file to write' },
    force: { kind: 'flag', doc: 'let --output replace the model itself' },
    method: {
      kind: 'choice',
      choices: METHODS,
      default: 'svd',
      doc: 'svd makes two of a layer, tucker three of a convolution, fewest chooses; slice narrows streams (see below)',
    },
    energy: {
      kind: 'number',
      value: 'share',
      min: 0,
      max: 1,
      percent: true,
      doc: 'share of the energy that each layer, or stream, keeps (default 0.99)',
    },
    ratio: {
      kind: 'number',
      value: 'share',
      min: 0.01,
      max: 1,
      percent: true,
      doc: 'or the share of the parameters of these layers that may be left',
    },
    rank: {
      kind: 'choice',
      choices: ['bic', 'vbmf'],
      doc: 'or the criterion by which what is more than noise is told',
    },
    for: {
      kind: 'choice',
      choices: ['size', 'latency'],
      doc: 'what a layer must gain: bytes (the default), or measured time',
    },
    exclude: { kind: 'texts', value: 'node', doc: 'a node that stays whole' },
    ...DATA_OPTIONS,
    ...SHAPE_OPTION,
    ...ENGINE_OPTIONS,
    ...SEED_OPTION,
  },
  examples: [
    'pare factorize model.onnx --data samples.npz --energy 0.95 -o small.onnx',
    'pare factorize model.onnx --data samples.npz --ratio 0.5 --for latency -o fast.onnx',
    'pare factorize transformer.onnx --method slice --data samples.npz --energy 0.95 -o narrow.onnx',
  ],
  notes: [
    'With --data a weight is cut where it changes the outputs of its layer least on the samples, and the energy is the share of their variance that is kept; without it all inputs of a layer count alike. A layer is taken apart only where its parts have fewer parameters and it gains what --for asks for. Whether the model became worse, pare verify tells; pare finetune and pare distill bring back some of what was lost.',
    'A stream is what layers add to and read with nothing between but sums, moves and LayerNormalization: the residual stream of a transformer, the narrow ends of inverted residual blocks. --method slice finds the combinations of its coordinates that its readers need on the samples, and drops the others: all layers on it get narrower, and none is added. It needs --data.',
  ],
  async run([path], options, context) {
    const { output, force, method, exclude, seed } = options
    const ranks = rankOptions(options)
    if (method === 'slice') checkSlice(options)
    const [{ readModel, writeModel }, models, { withShapes }, { fixedForm }, { openEnv }, library, shapes] =
      await Promise.all([
        import('../../onnx/files.js'),
        import('../models.js'),
        import('../../passes/with-shapes.js'),
        import('../../passes/fixed-form.js'),
        import('../../passes/node-env.js'),
        import('../../compress/factorize/index.js'),
        shapesOf(options.shape),
      ])
    const read = await readModel(path!)
    await models.protectInput(path!, output, force, { model: read, read: [options.data] })
    const data = await openData(options, models.interfaceOf(withShapes(read, shapes)))
    const { signal, onProgress, warn } = context
    const env = openEnv({ ...engineOptions(options, warn), signal, onProgress, seed })
    try {
      const model = await fixedForm(read, shapes, env.engine, { signal, onWarning: warn })
      const goal = options.for === undefined ? {} : { for: options.for }
      const request = { method, ...goal, exclude, ...ranks, ...(data && { samples: data.samples }) }
      const found = await library.factorize(model, request, env)
      signal.throwIfAborted()
      const before = await models.modelBytes(path!, read)
      await writeModel(found.model, output)
      const after = await models.writtenBytes(output)
      const known = before !== null && after !== null
      if (known && after >= before)
        warn(`The result is not smaller than the model: ${bytes(after)} against ${bytes(before)}.`)
      const size = known
        ? `${safe(output)}: ${bytes(after)}, from ${bytes(before)} (${significant(before / after)}× smaller).`
        : `${safe(output)} is written.`
      const json = { output, method, bytes: after, originalBytes: before, layers: found.layers }
      return { text: `${size}\n\n${layersText(found.layers, context.terminal)}`, json }
    } finally {
      await env.close()
    }
  },
})

interface RankChoice {
  readonly energy: number | undefined
  readonly ratio: number | undefined
  readonly rank: 'bic' | 'vbmf' | undefined
}

/** Throws `OPTION_UNUSED` where more than one thing is to decide. */
function rankOptions({ energy, ratio, rank }: RankChoice): Pick<FactorizeOptions, 'rank' | 'energy' | 'ratio'> {
  const given = Object.entries({ '--energy': energy, '--ratio': ratio, '--rank': rank }).flatMap(([name, value]) =>
    value === undefined ? [] : [name],
  )
  if (given.length > 1) {
    const [first, second] = given as [string, string]
    throw unused(second, `${first} decides how much is kept`, 'Give one of --energy, --ratio and --rank.')
  }
  if (rank !== undefined) return { rank }
  if (ratio !== undefined) return { rank: 'ratio', ratio }
  return energy === undefined ? {} : { energy }
}

/** Throws `OPTION_UNUSED` for what says nothing of streams. */
function checkSlice({
  rank,
  for: goal,
}: {
  readonly rank: string | undefined
  readonly for: string | undefined
}): void {
  if (rank !== undefined) throw unused('--rank', 'streams are cut by their energy', 'Give --energy or --ratio.')
  if (goal !== undefined) throw unused('--for', 'a narrower stream has fewer bytes and no more layers', 'Leave it out.')
}

function layersText(layers: readonly FactorizedLayer[], terminal: Context['terminal']): string {
  const rows = layers.map((layer) => [
    layer.nodes.join(', '),
    layer.shape.join('×'),
    layer.ranks.join(', '),
    percent(layer.energy, 1),
    `${layer.parameters} → ${layer.parametersInParts}`,
    outcomeOf(layer),
  ])
  return table(
    [
      { title: 'layer', shrinkTo: 12 },
      { title: 'weight' },
      { title: 'rank', align: 'right' },
      { title: 'energy', align: 'right' },
      { title: 'parameters', align: 'right' },
      { title: '', shrinkTo: 10 },
    ],
    rows,
    terminal,
  )
}

const outcomeOf = ({ op, isSplit, reason, time }: FactorizedLayer): string => {
  const measured = time === undefined ? '' : `, ${significant(time.ratio, 2)} of the time`
  return isSplit ? `${op === 'stream' ? 'narrower' : 'in parts'}${measured}` : `whole: ${reason}${measured}`
}
