/** A device is trusted after its answers were held against the CPU's. */

import { PareError } from '../util/errors.js'
import { addPair, differenceOf, NO_SUMS } from './compare.js'
import type { Engine, Feeds, ModelSource } from './engine.js'

export interface OutputParity {
  readonly output: string
  readonly maxAbs: number
  /** ‖cpu − device‖ / ‖cpu‖ */
  readonly relativeL2: number
  readonly ok: boolean
}

export interface ParityOptions {
  /** Largest relative L2 error of an output that passes. Default 0.01: reduced-precision arithmetic passes, bugs do not. */
  readonly tolerance?: number
  readonly signal?: AbortSignal
}

/** An error this small is none, where the output itself is zero and a relative one means nothing. */
const ZERO = 1e-7

/**
 * Runs `model` on `feeds` on both engines and compares every output. Throws `ENGINE_PARITY` with the numbers where an
 * output is further off than the tolerance, or is NaN where the CPU's is not.
 */
export async function checkParity(
  deviceEngine: Engine,
  cpuEngine: Engine,
  model: ModelSource,
  feeds: Feeds,
  { tolerance = 0.01, signal }: ParityOptions = {},
): Promise<readonly OutputParity[]> {
  const options = signal === undefined ? {} : { signal }
  const outputs = await Promise.all(
    [cpuEngine, deviceEngine].map(async (engine) => {
      const session = await engine.load(model, options)
      try {
        return await session.run(feeds, options)
      } finally {
        await session.close()
      }
    }),
  )
  const [reference, candidate] = outputs as [Feeds, Feeds]
  const parity = Object.entries(reference).map(([output, t]): OutputParity => {
    // NaN where both answer NaN everywhere: alike, for all that can be seen.
    const { maxAbs, relativeL2 } = differenceOf(addPair(NO_SUMS, t, candidate[output]!, `output ${output}`))
    return { output, maxAbs, relativeL2, ok: !(relativeL2 > tolerance) || maxAbs <= ZERO }
  })
  const bad = parity.filter(({ ok }) => !ok)
  if (bad.length > 0) {
    const numbers = bad.map(
      (p) => `${p.output}: relative ${p.relativeL2.toExponential(2)}, max ${p.maxAbs.toExponential(2)}`,
    )
    throw new PareError('ENGINE_PARITY', `device ${deviceEngine.device} answers otherwise than the CPU`, {
      where: numbers.join('; '),
      value: `tolerance ${tolerance}`,
      remedy: 'Do not use this model on this device, or raise the tolerance if such an error is harmless to you.',
    })
  }
  return parity
}
