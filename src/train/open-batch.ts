/** Models whose batch size is fixed at 1, opened for larger batches where nothing in them depends on it. */

import { addPair, differenceOf, NO_SUMS } from '../engine/compare.js'
import type { Engine, Feeds } from '../engine/engine.js'
import { elements } from '../ir/tensor.js'
import type { Model, Value } from '../ir/types.js'
import { encodeModel } from '../onnx/codec.js'
import { type Dataset, gather } from './dataset.js'

const BATCH = 'N'
/** Samples that are run together and one by one. */
const TRIED = 3
/** Relative L2 error that rounding explains. */
const ROUNDING = 1e-4

/**
 * The model with an open first axis of all inputs and outputs; null where that is not 1, or where samples in a batch do
 * not get the same answers as one by one, as with a shape that is written into the graph.
 */
export async function withOpenBatch(model: Model, data: Dataset, engine: Engine): Promise<Model | null> {
  const open = opened(model)
  const names = open?.graph.inputs.filter((name) => !open.graph.constants.has(name)) ?? []
  if (open === null || data.count < TRIED || names.some((name) => !data.inputs.has(name))) return null
  const feeds = (rows: readonly number[]): Feeds =>
    Object.fromEntries(names.map((name) => [name, gather(data.inputs.get(name)!, rows)]))
  const rows = Array.from({ length: TRIED }, (_, i) => i)
  try {
    const together = await answers(engine, open, [feeds(rows)])
    const alone = await answers(
      engine,
      model,
      rows.map((row) => feeds([row])),
    )
    return model.graph.outputs.every((name) => isSame(name, together[0]!, alone)) ? open : null
  } catch {
    // What does not load or run in batches stays as it is.
    return null
  }
}

function opened(model: Model): Model | null {
  const { graph } = model
  const ends = [...graph.inputs.filter((name) => !graph.constants.has(name)), ...graph.outputs]
  const values = new Map<string, Value>()
  for (const name of ends) {
    const value = graph.values.get(name)
    if (value?.kind !== 'tensor' || value.shape?.[0] !== 1) return null
    values.set(name, { ...value, shape: [BATCH, ...value.shape.slice(1)] })
  }
  // Shapes between hold the old size.
  return { ...model, graph: { ...graph, values } }
}

async function answers(engine: Engine, model: Model, feeds: readonly Feeds[]): Promise<readonly Feeds[]> {
  const session = await engine.load(encodeModel(model).bytes)
  try {
    const all: Feeds[] = []
    for (const feed of feeds) all.push(await session.run(feed))
    return all
  } finally {
    await session.close()
  }
}

function isSame(name: string, together: Feeds, alone: readonly Feeds[]): boolean {
  const whole = together[name]!
  if (whole.shape[0] !== alone.length) return false
  const column = { dtype: whole.dtype, shape: whole.shape.slice(1), data: elements(whole) }
  return alone.every((outputs, row) => {
    const own = outputs[name]!
    const part = gather(column, [row])
    if (part.shape.join() !== own.shape.join()) return false
    return differenceOf(addPair(NO_SUMS, own, part)).relativeL2 <= ROUNDING
  })
}
