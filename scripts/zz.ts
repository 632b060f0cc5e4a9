import { readFileSync } from 'node:fs'
import { prepareModel } from '../src/compress/prepare.js'
import { findAllLayers } from '../src/compress/layers/recurrent.js'
import { inputMoments } from '../src/compress/layers/moments.js'
import { openEngine } from '../src/engine/node/open.js'
import { decodeModel } from '../src/onnx/codec.js'
import { take } from '../src/data/split.js'
import { samplesFor } from '../bench/samples/index.js'
const engine = await openEngine({ threads: 1 })
const name = process.argv[2]!
const env = { engine: async () => engine }
const m = await prepareModel(decodeModel(readFileSync(`/work/shared/data/models/${name}.onnx`)), env)
const layers = findAllLayers(m.graph)
for (const n of [1, 5]) {
const t = performance.now(), c = process.cpuUsage()
const r = await inputMoments(m, layers, { ...env, samples: take(samplesFor(name).calibration, n) })
const u = process.cpuUsage(c)
console.log(name, layers.length, n, Math.round(performance.now() - t), 'ms; cpu', Math.round((u.user+u.system)/1000), r.missing.size)
if (n === 5) for (const [l, mo] of r.of) console.log(l.node.name, l.kind, l.groups, l.rows, l.depth, mo.count)
}
await engine.close()
