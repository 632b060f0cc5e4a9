/** The recipes that levers are shown by: each lever alone, with recovery where it costs quality, and some together. */

interface Lever {
  readonly name: string
  readonly steps: readonly { readonly transform: string; readonly params: Readonly<Record<string, unknown>> }[]
}

const step = (transform: string, params: Readonly<Record<string, unknown>> = {}) => ({ transform, params })
const recovered = (grid = 'none', learningRate = 0.002) =>
  step('recover/distill', { aim: 'scores', steps: 1000, learningRate, grid })
const cut = (ratio: number) => step('prune/channels', { ratio, score: 'taylor' })
const sparse = (part: number) => step('sparsify/magnitude', { ratio: part, scope: 'global' })
const quarter = step('factorize/svd', { rank: 'ratio', ratio: 0.25 })

export const LEVERS: readonly Lever[] = [
  { name: 'float16, stored', steps: [step('store/f16')] },
  { name: 'int8, stored', steps: [step('store/int8')] },
  { name: 'int8, static', steps: [step('quantize/static')] },
  { name: 'int4 in blocks, stored', steps: [step('store/int4')] },
  { name: 'int4 in blocks, stored, gptq', steps: [step('store/int4', { rounding: 'gptq' })] },
  { name: 'int2 in blocks, stored', steps: [step('store/int2')] },
  {
    name: 'int2, recovered on its grid',
    steps: [recovered('store-int2', 0.001), step('store/int2')],
  },
  { name: 'int4 products, int8 convolutions', steps: [step('quantize/nbits'), step('quantize/static')] },
  { name: 'a codebook of 16', steps: [step('store/codebook', { bits: 4 })] },
  { name: 'a quarter of the parameters, factorized', steps: [quarter, recovered()] },
  { name: 'nine of ten weights zero, sparse', steps: [sparse(0.9), recovered(), step('store/sparse')] },
  { name: 'half of the units cut', steps: [cut(0.5), recovered()] },
  { name: 'half cut, int8', steps: [cut(0.5), recovered('int8'), step('quantize/static'), step('store/int8')] },
  {
    name: 'half cut, int4 and int8',
    steps: [cut(0.5), recovered('int4'), step('quantize/nbits'), step('quantize/static'), step('store/int8')],
  },
  {
    name: 'half cut, then sparse, codebook',
    steps: [cut(0.5), sparse(0.7), recovered(), step('store/sparse', { values: 'codebook' })],
  },
]
