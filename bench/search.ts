/**
 * `npm run bench:search`: does breeding recipes find a better front than drawing them? Both samplers in the same halving
 * search, on the same model and seeds; writes bench/search.md and its figure. Latency is left out (every candidate counts
 * as fast as the original), so that no clock decides and the same numbers come out again.
 */

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TRANSFORMS } from '../src/compress/index.js'
import type { Transform } from '../src/compress/transform.js'
import type { Engine } from '../src/engine/engine.js'
import { type Model, openSamples, readModel, take } from '../src/node.js'
import { lines } from '../src/report/svg/lines.js'
import { openJournal } from '../src/search/journal.js'
import { atRandom, bred, type Sampler } from '../src/search/pareto-search/samplers.js'
import { searchFront } from '../src/search/pareto-search/search.js'
import { openSetup } from '../src/search/setup.js'
import { significant } from '../src/util/format.js'
import { table, writeReport } from './markdown.js'
import { requiredPath } from './samples/types.js'

const SEEDS = [0, 1, 2]
const TRIALS = 72
/** Trials that take no longer than a second: without training, and weights rounded to the nearest. */
const CHEAP = TRANSFORMS.filter(({ id }) => !id.startsWith('recover/')).map((t): Transform => {
  const { rounding, ...others } = t.params
  return rounding?.kind === 'choice'
    ? { ...t, params: { ...others, rounding: { ...rounding, search: { values: [rounding.default] } } } }
    : t
})
const SAMPLERS: Readonly<Record<string, Sampler>> = { random: atRandom, bred }

/** Every measurement comes to the same time. */
const timeless = (engine: Engine): Engine => ({
  ...engine,
  measure: async (models) => models.map(() => ({ p50: 1, p95: 1, runs: [1, 1, 1] }) as never),
})

/** The volume of the front after each full trial. */
async function growthOf(model: Model, sampler: Sampler, seed: number): Promise<readonly number[]> {
  const folder = await mkdtemp(join(tmpdir(), 'pare-bench-search-'))
  const samples = take(
    await openSamples(join(requiredPath('mnist'), 't10k-images-idx3-ubyte.gz'), {
      inputs: [{ name: 'Input3', dtype: 'float32', shape: [1, 1, 28, 28] }],
    }),
    200,
  )
  const setup = await openSetup(model, { samples, threads: 1, maxDrop: 0.05, for: 'size', seed }, folder)
  try {
    const journal = await openJournal(join(folder, 'journal.jsonl'), {}, false)
    const exploration = {
      setup: { ...setup, target: timeless(setup.target) },
      journal,
      objective: 'size',
      recipes: [],
    } as const
    return (await searchFront(exploration, { trials: TRIALS, sampler, transforms: CHEAP })).search!.growth
  } finally {
    await setup.close()
    await rm(folder, { recursive: true })
  }
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length
/** Of the last value where a search had fewer full trials. */
const at = (growth: readonly number[], i: number): number => growth[Math.min(i, growth.length - 1)] ?? 0

const model = await readModel(requiredPath('models/mnist-cntk.onnx'))
const runs = new Map<string, (readonly number[])[]>()
for (const seed of SEEDS)
  for (const [name, sampler] of Object.entries(SAMPLERS)) {
    const growth = await growthOf(model, sampler, seed)
    runs.set(name, [...(runs.get(name) ?? []), growth])
    console.log(`seed ${seed}, ${name}: ${at(growth, growth.length - 1).toFixed(4)} after ${growth.length} full trials`)
  }

const length = Math.max(...[...runs.values()].flat().map((g) => g.length))
const curve = (name: string): readonly number[] =>
  Array.from({ length }, (_, i) => mean(runs.get(name)!.map((g) => at(g, i))))
const svg = lines({
  id: 'search',
  width: 760,
  height: 360,
  title: 'Volume of the front against full trials',
  description: `Means over ${SEEDS.length} seeds.`,
  xTitle: 'candidates measured in full',
  yTitle: 'volume',
  isShare: true,
  format: (v) => significant(v, 3),
  series: Object.keys(SAMPLERS).map((name, i) => ({
    name,
    kind: `hue${i}`,
    points: curve(name).map((y, k) => ({ x: k + 1, y })),
  })),
})
const STYLE =
  '<style>svg{background:#fff;font:12px system-ui,sans-serif}.line{fill:none;stroke-width:2}.hue0{stroke:#0b6bcb;fill:#0b6bcb}.hue1{stroke:#b4540a;fill:#b4540a}path.line{fill:none}text{stroke:none}.grid{stroke:#eceff2}</style>'
await writeFile(
  new URL('search.svg', import.meta.url),
  svg.markup.replace('<svg', '<svg xmlns="http://www.w3.org/2000/svg"').replace('</desc>', `</desc>${STYLE}`),
)
const [drawnEnds, bredEnds] = ['random', 'bred'].map((name) => runs.get(name)!.map((g) => at(g, length - 1)))
const wins = bredEnds!.filter((v, i) => v > drawnEnds![i]!).length
const checkpoints = [3, 7, 11, 15, 19].filter((i) => i < length)
await writeReport(new URL('search.md', import.meta.url).pathname, {
  title: 'Drawing recipes or breeding them',
  about: [
    `mnist-cntk on 200 digits without labels, without recovery, ${TRIALS} recipes a search, of which a sixth is measured in full; ${SEEDS.length} seeds. The volume is that of log size × drop ÷ budget that the front dominates (latency counts as 1 for all); more is better.`,
    '![Volume of the front against full trials](search.svg)',
  ],
  versions: {},
  sections: [
    {
      text: `Bred recipes came to the larger volume on ${wins} of ${SEEDS.length} seeds. So few seeds make a difference of this size likely, not sure.`,
      table: table(
        ['sampler', ...checkpoints.map((i) => `after ${i + 1}`), 'worst seed', 'best seed'],
        Object.keys(SAMPLERS).map((name) => {
          const ends = runs.get(name)!.map((g) => at(g, length - 1))
          return [
            name,
            ...checkpoints.map((i) => curve(name)[i]!.toFixed(4)),
            Math.min(...ends).toFixed(4),
            Math.max(...ends).toFixed(4),
          ]
        }),
      ),
    },
  ],
})
