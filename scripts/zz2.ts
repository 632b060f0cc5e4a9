import { readFileSync } from 'node:fs'
import { prepareModel } from '../src/compress/prepare.js'
import { findAllLayers } from '../src/compress/layers/recurrent.js'
import { weightMatrix } from '../src/compress/layers/layer.js'
import { reconstructionError } from '../src/compress/layers/error.js'
import { inputMoments } from '../src/compress/layers/moments.js'
import { quantizeBlocks } from '../src/compress/quantize/blocks.js'
import { roundGptq } from '../src/grids/rounding/gptq.js'
import { roundAdaptive } from '../src/grids/rounding/adaround.js'
import { roundNearest, roundingErrors } from '../src/grids/rounding/grid.js'
import { openEngine } from '../src/engine/node/open.js'
import { decodeModel } from '../src/onnx/codec.js'
import { take } from '../src/data/split.js'
import { samplesFor } from '../bench/samples/index.js'
const engine = await openEngine({ threads: 1 })
const name = process.argv[2]!, n = Number(process.argv[3])
const env = { engine: async () => engine }
const m = await prepareModel(decodeModel(readFileSync(`/work/shared/data/models/${name}.onnx`)), env)
const layers = findAllLayers(m.graph).filter((l) => l.groups === 1 && l.depth < 1000)
const seen = await inputMoments(m, layers, { ...env, samples: take(samplesFor(name).calibration, n) })
const held = await inputMoments(m, layers, { ...env, samples: take(samplesFor(name).heldout, n) })
for (const l of layers) {
  const w = weightMatrix(l, m.graph)
  const block = Math.min(32, l.depth)
  const b = quantizeBlocks(w, l.rows, l.depth, block, 4)
  const steps = Float32Array.from(w, (_, i) => b.scales[Math.floor(i / l.depth) * b.blocksPerRow + Math.floor((i % l.depth) / block)]!)
  const grid = { rows: l.rows, depth: l.depth, steps, low: new Int8Array(l.rows).fill(-8), high: new Int8Array(l.rows).fill(7) }
  const h = seen.of.get(l)!.h, o = held.of.get(l)!.h
  const near = roundNearest(w, grid)
  const e = (q: Int8Array, x: Float64Array) => reconstructionError(roundingErrors(q, w, grid), x, l)
  const base = [e(near, h), e(near, o)]
  const row = [['gptq', roundGptq(w, grid, h)], ['gptqP', roundGptq(w, grid, h, { byActivation: false })], ['ada', roundAdaptive(w, grid, h)]] as const
  if (process.argv[4]) { const t = performance.now(); roundAdaptive(w, grid, h); console.log(Math.round(performance.now() - t)) }
  console.log(l.node.name.padEnd(16), l.kind, l.rows, l.depth, row.map(([k, q]) => `${k} ${(e(q, h)/base[0]!).toFixed(3)}/${(e(q, o)/base[1]!).toFixed(3)}`).join('  '))
}
await engine.close()
