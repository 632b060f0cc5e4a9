/** The model that `--model` names, made for the data. */

import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Model } from '../ir/types.js'
import { countClasses, dataFacts } from '../train/data-facts.js'
import { LOSSES } from '../train/losses/index.js'
import type { Loss } from '../train/losses/loss.js'
import { type Predicts, type PresetOptions, presetModel } from '../train/presets.js'
import { messageOf, PareError } from '../util/errors.js'
import type { LabelledData } from './labelled-data.js'
import { interfaceOf } from './models.js'
import type { LossName } from './training-options.js'

interface Wanted {
  readonly model: string
  readonly loss: LossName | undefined
  readonly limit: number | undefined
  readonly seed: number
}

interface Built {
  readonly model: Model
  readonly loss: Loss
}

/** `given`: the model, where a file was named. Throws `MODEL_NAME`, `MODEL_MODULE`, and what reading the data throws. */
export async function buildModel(
  wanted: Wanted,
  given: Model | null,
  data: LabelledData,
  signal: AbortSignal,
): Promise<Built> {
  if (given) return { model: given, loss: await lossFor(wanted, given, data, signal) }
  const facts = await dataFacts(await data.open({ inputs: [{ name: 'input', dtype: 'float32' }], outputs: [] }), signal)
  const loss = lossOf(wanted.loss, facts.classes)
  const asked: ModelRequest = { facts, predicts: predictsOf(loss), seed: wanted.seed }
  const isModule = /\.m?js$/.test(wanted.model)
  return { model: isModule ? await fromModule(wanted.model, asked) : presetModel(wanted.model, asked), loss }
}

/** The loss that was asked for, or the one that suits the labels of the data, of which a first reading tells. */
export async function lossFor(
  { loss, limit }: Pick<Wanted, 'loss' | 'limit'>,
  model: Model,
  data: LabelledData,
  signal: AbortSignal,
): Promise<Loss> {
  if (loss !== undefined) return lossOf(loss, null)
  return lossOf(loss, await countClasses(await data.open(interfaceOf(model)), { limit, signal }))
}

const lossOf = (name: LossName | undefined, classes: number | null): Loss =>
  LOSSES[name ?? (classes === null ? 'squared' : 'cross-entropy')]()

/** What a module's default export is called with. */
type ModelRequest = Required<PresetOptions>

function predictsOf({ target, accepts }: Loss): Predicts {
  if (target === 'class') return 'classes'
  return accepts === undefined ? 'values' : 'scores'
}

async function fromModule(path: string, request: ModelRequest): Promise<Model> {
  const fail = (message: string, value: string, cause?: unknown): PareError =>
    new PareError('MODEL_MODULE', message, {
      where: path,
      value,
      remedy: 'Export by default a function that returns a model: ({ facts, predicts, seed }) => sequential(…).',
      ...(cause !== undefined && { cause }),
    })
  const module: { readonly default?: unknown } = await import(pathToFileURL(resolve(path)).href).catch(
    (cause: unknown) => {
      throw fail('the module cannot be loaded', messageOf(cause), cause)
    },
  )
  if (typeof module.default !== 'function') throw fail('the default export is no function', typeof module.default)
  const model: unknown = await module.default(request)
  if (typeof model === 'object' && model !== null && 'graph' in model && 'opsets' in model) return model as Model
  throw fail('the function did not return a model', typeof model)
}
