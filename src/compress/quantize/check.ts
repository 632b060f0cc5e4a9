/** Whether a quantized model still does what the original does, on a few real samples: enough to see that it is broken. */

import { addPair, type Difference, differenceOf, NO_SUMS } from '../../engine/compare.js'
import type { Engine, Feeds } from '../../engine/engine.js'
import type { Model, Tensor } from '../../ir/types.js'
import { encodeModel } from '../../onnx/codec.js'

/** Relative error from which on a result is suspect: good ones have a few percent. */
const SUSPECT = 0.3
/** Outputs that are zero but for rounding have no relative error that says anything. */
const ZERO = 1e-4

const ADVICE = 'let pare compress find the layers that must stay in float'

/**
 * One sentence where outputs went far from the original's, else null. Throws `ENGINE_LOAD` where the result does not load.
 */
export async function suspectOutputs(
  original: Model,
  result: Model,
  feeds: readonly Feeds[],
  engine: Engine,
  signal?: AbortSignal,
  advice = ADVICE,
): Promise<string | null> {
  if (feeds.length === 0) return null
  const [before, after] = [await answers(original), await answers(result)]
  const far = Object.keys(before[0]!).flatMap((name) => {
    const pairs = before.flatMap((outputs, i) => {
      const [a, b] = [outputs[name]!, after[i]![name]!]
      return isComparable(a, b) ? [[a, b] as const] : []
    })
    const difference = differenceOf(pairs.reduce((sums, [a, b]) => addPair(sums, a, b), NO_SUMS))
    return difference.relativeL2 > SUSPECT && difference.maxAbs > ZERO ? [{ name, difference }] : []
  })
  if (far.length === 0) return null
  const worst = far.reduce((a, b) => (b.difference.relativeL2 > a.difference.relativeL2 ? b : a))
  const on = feeds.length === 1 ? 'a sample' : `${feeds.length} of the samples`
  const more = far.length === 1 ? '' : ` (and ${far.length - 1} more went far)`
  return `Tried on ${on}, output ${worst.name} of the result ${howFar(worst.difference)}${more}. Check how the samples are read; if that is right, ${advice}.`

  async function answers(model: Model): Promise<readonly Readonly<Record<string, Tensor>>[]> {
    const run = signal ? { signal } : {}
    const session = await engine.load(encodeModel(model).bytes, run)
    try {
      const all: Readonly<Record<string, Tensor>>[] = []
      for (const feed of feeds) all.push(await session.run(feed, run))
      return all
    } finally {
      await session.close()
    }
  }
}

function howFar({ relativeL2, maxAbs, mismatched }: Difference): string {
  if (mismatched > 0) return "is NaN or infinite where the original's is not, or is not where it is"
  if (relativeL2 < Number.POSITIVE_INFINITY) return `has a relative error of ${Number(relativeL2.toPrecision(2))}`
  return `is up to ${Number(maxAbs.toPrecision(2))} where the original's is zero throughout`
}

/** Numbers of one shape: one that depends on the data may come out otherwise. */
const isComparable = (a: Tensor, b: Tensor): boolean => a.dtype.includes('float') && a.shape.join() === b.shape.join()
