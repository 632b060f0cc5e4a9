/** Mixed precision whose weights are rounded by what layers do, in all widths that there are. */

import { TRANSFORMS } from '../../compress/index.js'
import { seenOnce } from '../../compress/layers/judged.js'
import type { Rounding } from '../../compress/quantize/rounder.js'
import { encodeModel } from '../../onnx/codec.js'
import type { Bench } from '../evaluate.js'
import {
  type Asking,
  alone,
  alongPath,
  askedAbout,
  type Form,
  type Mixed,
  type MixedOptions,
} from './mixed-precision.js'
import type { Choice } from './path.js'

const ALONE = { small: 'float32' } as const
const FEW = { range: 'mse', ...ALONE } as const

/** With the bits that each is worth: int8 has its scales a channel, the others a block of 32, whose peak is lower. */
const WIDTHS: readonly (Form & { readonly bits: number })[] = [
  { transform: 'store/int8', params: ALONE, bits: 7.4 },
  { transform: 'store/int6', params: FEW, bits: 6 },
  { transform: 'store/int5', params: FEW, bits: 5 },
  { transform: 'store/int4', params: FEW, bits: 4 },
  { transform: 'store/int3', params: FEW, bits: 3 },
  { transform: 'store/int2', params: FEW, bits: 2 },
]
/** The one that layers are asked about. */
const ASKED = 4

export interface RoundedOptions extends Pick<MixedOptions, 'layers' | 'remember' | 'isOver'> {
  readonly rounding: Rounding
}

/** Of fewest bytes within the quality of the bench; null where there is none, or time is up. */
export async function roundedMixed(bench: Bench, { rounding, ...given }: RoundedOptions): Promise<Mixed | null> {
  const { prepared, env } = bench
  const widths = WIDTHS.filter((w) => TRANSFORMS.find((t) => t.id === w.transform)?.refuses(prepared, env) === null)
  const cost = (bytes: Uint8Array): number => bytes.byteLength
  const options = { ...given, cost, goal: 'quality' as const, float: cost(encodeModel(prepared).bytes) }
  const choices = await choicesOf(bench, options, widths)
  if (choices === null) return null
  const seen = env.seen ?? seenOnce(prepared, env)
  const forms = widths.map(({ transform, params }) => ({ transform, params: { ...params, rounding } }))
  // What whole candidates lose is another thing than with weights at their nearest.
  const remember: MixedOptions['remember'] = (key, make) => given.remember(`${rounding} ${key}`, make)
  return alongPath({ ...bench, env: { ...env, seen } }, { ...options, forms, remember }, choices)
}

/** Layers are asked about one width. Of the others the squared error follows: a quarter for each further bit. */
async function choicesOf(
  bench: Bench,
  options: Asking & Pick<MixedOptions, 'isOver'>,
  widths: typeof WIDTHS,
): Promise<readonly (readonly Choice[])[] | null> {
  const asked = widths.find(({ bits }) => bits === ASKED)
  if (asked === undefined) return null
  const { layers, remember, cost, float, isOver } = options
  const choices: Choice[][] = []
  for (const [i, layer] of layers.entries()) {
    bench.env.onProgress?.({ task: 'asking layers about bits', done: i, total: layers.length })
    if (isOver?.()) return null
    const known = await askedAbout(bench, options, layer, stepOf(asked))
    const own: Choice[] = []
    for (const [form, width] of widths.entries()) {
      const saved =
        width === asked
          ? known.saved
          : await remember(`bytes ${JSON.stringify(stepOf(width))} ${layer.key}`, async () => {
              const { bytes } = encodeModel(await alone(bench, layers, layer, stepOf(width)))
              return float - (await cost(bytes))
            })
      own.push({ form, saved, error: known.error * 4 ** (ASKED - width.bits) })
    }
    choices.push(own)
  }
  return choices
}

const stepOf = ({ transform, params }: Form): Form => ({ transform, params })
