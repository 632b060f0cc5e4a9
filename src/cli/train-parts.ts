/** What `pare train` makes of its options: the samples, the loss that suits them, the model, the penalties. */

import { withLabels } from '../data/labels.js'
import { openLabels } from '../data/open-labels.js'
import type { Samples } from '../data/samples.js'
import type { Model } from '../ir/types.js'
import { readModel } from '../onnx/files.js'
import { PENALTIES } from '../penalties/index.js'
import { LOSSES } from '../train/losses/index.js'
import type { Loss } from '../train/losses/loss.js'
import { presetModel } from '../train/presets.js'
import type { PenaltyChoice } from '../train/train.js'
import { PareError } from '../util/errors.js'
import { didYouMean } from './args.js'
import type { Interface } from './inputs.js'
import { interfaceOf } from './models.js'
import { nearest } from './suggest.js'

export { readDataset } from '../train/dataset.js'
export { OPTIMIZERS } from '../train/optimizers/index.js'
export { train } from '../train/train.js'

/** `l2:1e-4`. Throws `OPTION_VALUE`. */
export function penaltyOf(text: string): PenaltyChoice {
  const [name = '', strength = ''] = text.split(':')
  const names = Object.keys(PENALTIES)
  if (!Object.hasOwn(PENALTIES, name) || strength.trim() === '' || !Number.isFinite(Number(strength))) {
    throw new PareError('OPTION_VALUE', 'a penalty is its name and its strength', {
      where: '--penalty',
      value: text,
      remedy: `${didYouMean(names.includes(name) ? null : nearest(name, names))}Write for example l2:1e-4. There are: ${names.join(', ')}.`,
    })
  }
  return { penalty: PENALTIES[name as keyof typeof PENALTIES](Number(strength)) }
}

export interface Wanted {
  readonly model: string
  readonly loss: keyof typeof LOSSES | undefined
  readonly labels: string | undefined
  readonly inputScale: number
  readonly seed: number
}

export interface Prepared {
  readonly model: Model
  readonly samples: Samples
  readonly loss: Loss
  /** Of one sample. */
  readonly outputShape: readonly number[]
}

type Open = (model: Interface) => Promise<Samples>

/**
 * The model that `--model` names, sized by the samples and their labels, and the samples fitted to it. `open` gives the
 * samples for a model's inputs.
 */
export async function modelFor(wanted: Wanted, open: Open): Promise<Prepared> {
  const labelled = async (model: Interface): Promise<Samples> => {
    const samples = await open(model)
    return wanted.labels === undefined ? samples : withLabels(samples, await openLabels(wanted.labels))
  }
  if (wanted.model.endsWith('.onnx')) return goOn(wanted, labelled)
  const seen = await facts(await labelled({ inputs: [{ name: 'input', dtype: 'float32' }], outputs: [] }))
  const loss = LOSSES[wanted.loss ?? (seen.classes === null ? 'squared' : 'cross-entropy')]()
  const outputs = loss.target === 'class' ? classesOf(seen) : seen.width
  const model = presetModel(wanted.model, {
    input: seen.shape,
    outputs,
    seed: wanted.seed,
    ...(wanted.inputScale > 0 && { inputScale: wanted.inputScale }),
  })
  return { model, samples: await labelled(interfaceOf(model)), loss, outputShape: [outputs] }
}

async function goOn(wanted: Wanted, open: Open): Promise<Prepared> {
  const model = await readModel(wanted.model)
  const face = interfaceOf(model)
  const shape = face.outputs[0]?.shape?.slice(1) ?? []
  const isKnown = shape.every((d) => typeof d === 'number')
  if (!isKnown || shape.length === 0) {
    throw new PareError('TRAIN_SHAPE', 'the sizes of the output are not stated in the file', {
      where: wanted.model,
      value: face.outputs[0]?.shape ?? 'no output',
      remedy: 'Export the model with the shape of its output.',
    })
  }
  const samples = await open(face)
  const { classes } = await facts(samples)
  const loss = LOSSES[wanted.loss ?? (classes === null ? 'squared' : 'cross-entropy')]()
  return { model, samples, loss, outputShape: shape as readonly number[] }
}

interface Facts {
  /** Of one sample, as the data has it. */
  readonly shape: readonly number[]
  /** How many classes the labels name; null where they are not class indices. */
  readonly classes: number | null
  /** Values of a label. */
  readonly width: number
}

/** What a first reading tells: the shape of the first sample, the classes among all labels. */
async function facts(samples: Samples): Promise<Facts> {
  let shape: readonly number[] | null = null
  let largest = -1
  let areClasses = true
  let width = 1
  for await (const { feeds, label, name } of samples.read()) {
    shape ??= Object.values(feeds)[0]?.shape ?? []
    if (label === undefined) throw noLabel(name)
    if (typeof label === 'number' && Number.isInteger(label) && label >= 0) largest = Math.max(largest, label)
    else areClasses = false
    if (typeof label !== 'number') width = label.length
  }
  if (shape === null) {
    throw new PareError('TRAIN_EMPTY', 'there are no samples to train on', {
      where: samples.name,
      remedy: 'Check the path.',
    })
  }
  const own = shape[0] === 1 && shape.length > 1 ? shape.slice(1) : shape
  return { shape: own, classes: areClasses ? Math.max(largest + 1, samples.classes?.length ?? 0) : null, width }
}

function classesOf({ classes }: Facts): number {
  if (classes !== null) return Math.max(2, classes)
  throw new PareError('TRAIN_LABELS', 'cross-entropy needs class indices as labels', {
    remedy: 'Give whole numbers from 0, or choose another --loss.',
  })
}

const noLabel = (where: string): PareError =>
  new PareError('TRAIN_LABELS', 'the sample has no label', {
    where,
    remedy: 'Give labels with --labels, or name their column with --data-option label=NAME.',
  })
