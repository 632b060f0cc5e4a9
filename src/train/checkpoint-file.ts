/** Checkpoints as files: an ONNX model without nodes, whose constants are the states. Node only. */

import { builder, modelOf } from '../ir/builder.js'
import type { Tensor } from '../ir/types.js'
import { encodeModel } from '../onnx/codec.js'
import { readModel } from '../onnx/files.js'
import { PareError } from '../util/errors.js'
import { writeFileAtomic } from '../util/files.js'
import type { Checkpoint } from './checkpoint.js'
import type { States } from './feeds.js'

const KEY = 'pare.checkpoint'
const STATE = 'state/'
const BEST = 'best/'

/** Writes all or nothing: a file of before stays until the new one is whole. */
export async function writeCheckpoint(path: string, { states, best, ...rest }: Checkpoint): Promise<void> {
  const b = builder()
  const keep = (prefix: string, all: States): void => {
    for (const [name, t] of all) b.constant(t, prefix + name)
  }
  keep(STATE, states)
  for (const [name, t] of best.states) if (states.get(name) !== t) b.constant(t, BEST + name)
  const { epoch, cost } = best
  const text = JSON.stringify({ ...rest, best: { epoch, cost: Number.isFinite(cost) ? cost : null } })
  const model = { ...modelOf(b.graph('checkpoint')), metadata: new Map([[KEY, text]]) }
  await writeFileAtomic(path, encodeModel(model).bytes)
}

/** Throws `TRAIN_CHECKPOINT` for a file that is none, and what `readModel` throws. */
export async function readCheckpoint(path: string): Promise<Checkpoint> {
  const { metadata, graph } = await readModel(path)
  const text = metadata.get(KEY)
  if (text === undefined) {
    throw new PareError('TRAIN_CHECKPOINT', 'this is no checkpoint of a training', {
      where: path,
      remedy: 'Give another file name for checkpoints, or remove this one.',
    })
  }
  const { best, ...rest } = parsed(text, path)
  const kept = (prefix: string): States =>
    new Map(
      [...graph.constants].flatMap(([name, t]): [string, Tensor][] =>
        name.startsWith(prefix) ? [[name.slice(prefix.length), t]] : [],
      ),
    )
  const states = kept(STATE)
  const own = kept(BEST)
  const cost = best.cost ?? Number.POSITIVE_INFINITY
  return { ...rest, states, best: { epoch: best.epoch, cost, states: new Map([...states, ...own]) } }
}

type Written = Omit<Checkpoint, 'states' | 'best'> & {
  readonly best: { readonly epoch: number; readonly cost: number | null }
}

function parsed(text: string, where: string): Written {
  try {
    const found = JSON.parse(text) as Partial<Written>
    const { digest, history, best, rate } = found
    if (typeof digest === 'string' && Array.isArray(history) && best?.cost !== undefined && rate !== undefined)
      return found as Written
  } catch {
    // Said below.
  }
  throw new PareError('TRAIN_CHECKPOINT', 'the checkpoint is damaged', {
    where,
    remedy: 'Remove it, and start anew.',
  })
}
