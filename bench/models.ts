/**
 * `npm run bench:models [-- MODEL… --peers DIR --work DIR --out FILE --budget SECONDS --fresh]`: everything that is made
 * of the eleven models, measured, and beside it the best of onnxruntime.quantization (DIR is what bench/peers filled).
 * Each step leaves its results in the work folder, and a run that was cut off goes on there.
 */

import { rmSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Sample, Samples } from '../src/data/samples.js'
import type { Engine } from '../src/engine/engine.js'
import { openEngine } from '../src/engine/node/open.js'
import { writeReport } from './markdown.js'
import { SAME_LOSS } from './models/duels.js'
import { type Facts, factsOf } from './models/facts.js'
import {
  type Budget,
  budgetName,
  KINDS,
  type Made,
  makeCompressed,
  makeKind,
  OWN_BUDGETS,
  type Source,
  slug,
} from './models/make.js'
import { type Judged, judge, type Subject, type Timed, timeTogether } from './models/measure.js'
import { memo, recall } from './models/memo.js'
import { type ModelResults, ORIGINAL, peerId, sections } from './models/report.js'
import { type Rival, rivalsOf } from './models/rivals.js'
import { MODEL_SAMPLES, samplesFor } from './samples/index.js'
import { CLASS_SCORES } from './samples/scores.js'
import { requiredPath } from './samples/types.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    peers: { type: 'string' },
    work: { type: 'string', default: join(tmpdir(), 'pare-bench-models') },
    out: { type: 'string', default: join(import.meta.dirname, 'models.md') },
    budget: { type: 'string', default: '40' },
    fresh: { type: 'boolean', default: false },
  },
})
const models = positionals.length > 0 ? positionals : MODEL_SAMPLES.map(({ model }) => model)
const start = performance.now()
for (const model of models) {
  const folder = join(values.work, model)
  if (values.fresh) rmSync(folder, { recursive: true, force: true })
  await memo(folder, 'results', () => resultsOf(model, folder))
}
const results = MODEL_SAMPLES.flatMap(({ model }) => recall<ModelResults>(join(values.work, model), 'results') ?? [])
const require = createRequire(import.meta.url)
writeReport(values.out, {
  title: 'Eleven models, made smaller and faster',
  about: [
    `One machine, one thread. Speed is the original's time over the file's, all files of a model interleaved in one process for up to ${values.budget} s; its interval holds with 95 % confidence. Worst rel. L2 is the relative L2 error of the worst output on held-out samples, against the original with the engine's graph rewriting off. "Node to WebAssembly" is the same distance between the two engines for the same file: every file was loaded and run in both. Files of \`quantize\` are named by their kind; where "samples" is added they were calibrated. \`compress\` saw no labels.`,
  ],
  versions: { 'onnxruntime-node': (require('onnxruntime-node/package.json') as { version: string }).version },
  sections: sections(results),
})
console.error(`${values.out}: ${results.length} models, ${((performance.now() - start) / 1000).toFixed(0)} s`)
process.exit(0)

async function resultsOf(model: string, folder: string): Promise<ModelResults> {
  const { about, calibration, heldout } = samplesFor(model)
  const path = requiredPath(`models/${model}.onnx`)
  const scores = CLASS_SCORES[model]
  const source: Source = {
    path,
    samples: inMemory(calibration),
    folder,
    ...(scores !== undefined && { scores: scores.output }),
  }
  const found = values.peers === undefined ? null : rivalsOf(values.peers, model)
  const rivals = found?.map((r) => ({ ...r, bytes: statSync(r.path).size, ours: budgetFor(r) })) ?? null

  const [native, wasm] = await Promise.all(
    ['cpu', 'wasm'].map((device) => openEngine({ device, threads: 1 })) as [Promise<Engine>, Promise<Engine>],
  )
  try {
    const facts = await memo<Facts>(folder, 'facts', () => factsOf(path, heldout, native))
    const made: Made[] = []
    for (const kind of KINDS) made.push(await memo(folder, slug(kind.name), () => makeKind(source, kind, native)))
    for (const budget of budgets(rivals ?? [])) {
      made.push(await memo(folder, slug(budgetName(budget)), () => makeCompressed(source, budget)))
    }
    const { subjects, sameAs } = distinct(path, made, rivals ?? [])
    const judged = await memo<readonly Judged[]>(folder, 'judged', () =>
      judge(path, subjects, { native, wasm, heldOut: heldout, scores: scores ?? null }),
    )
    const running = subjects.filter(({ id }) => judged.find((j) => j.id === id)?.agreement != null)
    const timed = await memo<readonly Timed[]>(folder, 'timed', () =>
      timeTogether(native, running, heldout, 1000 * Number(values.budget)),
    )
    const duels: (readonly Timed[])[] = []
    for (const rival of rivals ?? []) {
      const three = dueling(path, made, rival)
      duels.push(
        await memo(folder, slug(`duel ${three.map(({ id }) => id).join(' ')}`), () =>
          timeTogether(native, three, heldout, 500 * Number(values.budget)),
        ),
      )
    }
    let held = 0
    for await (const _ of heldout.read()) held++
    return { model, about, heldOut: held, facts, made, rivals, judged, timed, sameAs, duels }
  } finally {
    await native.close()
    await wasm.close()
  }
}

/** As much loss as theirs has, and the share more that counts as even: other samples would turn it round. */
function budgetFor({ objective, drop }: Rival): Budget {
  return { objective, maxDrop: SAME_LOSS * drop }
}

/** The two that stand for themselves, and one for each of the peer's best; each once. */
function budgets(rivals: readonly { readonly ours: Budget }[]): readonly Budget[] {
  const all: readonly Budget[] = [...OWN_BUDGETS, ...rivals.map((r) => r.ours)]
  return [...new Map(all.map((budget) => [budgetName(budget), budget])).values()]
}

/** Files to measure: of several that are the same, the first. */
function distinct(original: string, made: readonly Made[], rivals: readonly Rival[]) {
  const first = new Map<string, string>()
  const sameAs: Record<string, string> = {}
  const subjects: Subject[] = [{ id: ORIGINAL, path: original }]
  for (const { name, file } of made) {
    if (file === null) continue
    const known = first.get(file.sha256)
    if (known !== undefined) sameAs[name] = known
    else {
      first.set(file.sha256, name)
      subjects.push({ id: name, path: file.path })
    }
  }
  const peers = new Map(rivals.map((r) => [peerId(r.variant), r.path]))
  return { subjects: [...subjects, ...[...peers].map(([id, path]) => ({ id, path }))], sameAs }
}

/** The original, ours and theirs; where `compress` found nothing better, ours is the original. */
function dueling(
  original: string,
  made: readonly Made[],
  rival: Rival & { readonly ours: Budget },
): readonly Subject[] {
  const name = budgetName(rival.ours)
  const own = made.find((m) => m.name === name)?.file ?? null
  return [
    { id: ORIGINAL, path: original },
    own === null ? { id: ORIGINAL, path: original } : { id: name, path: own.path },
    { id: peerId(rival.variant), path: rival.path },
  ]
}

/** Reading photographs takes longer than running a small model on them: they are decoded once. */
function inMemory(samples: Samples): Samples {
  let all: readonly Sample[] | null = null
  return {
    ...samples,
    async *read(options) {
      if (all === null) {
        const list: Sample[] = []
        for await (const sample of samples.read(options)) list.push(sample)
        all = list
      }
      yield* all
    },
  }
}
