import { readArray, writeArray } from '/work/main/bench/linear/arrays.js'
import { openEngine } from '../src/node.js'
import { tsne } from '../src/reduce/tsne/tsne.js'
const [file, out, threads = '2', seed = '0'] = process.argv.slice(2)
const { shape, data } = readArray(file!)
const engine = await openEngine({ threads: Number(threads) })
const x = { rows: shape[0]!, columns: shape[1]!, data, order: 'row-major' as const }
const t = performance.now()
let last = t
const r = await tsne(x, { engine, seed: Number(seed), onProgress: ({ task, done, detail }) => { if (task === 't-SNE') { console.log(done, detail, ((performance.now() - last) / 50).toFixed(1), 'ms'); last = performance.now() } else if (done === shape[0]) { console.log('neighbours', (performance.now() - t).toFixed(0)); last = performance.now() } } })
console.log('seconds', ((performance.now() - t) / 1000).toFixed(2), 'KL', r.klDivergence, r.method)
await engine.close()
writeArray(out!, { shape: [shape[0]!, 2], data: Float64Array.from(r.embedding), isFortran: false })
