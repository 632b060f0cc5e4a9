import { readFileSync } from 'node:fs'
import { prepareModel } from '../src/compress/prepare.js'
import { openEngine } from '../src/engine/node/open.js'
import { decodeModel } from '../src/onnx/codec.js'
const engine = await openEngine({ threads: 1 })
for (const name of ['dtln-1','mnist-cntk','gtcrn','silero-vad']) {
  const m = await prepareModel(decodeModel(readFileSync(`/work/shared/data/models/${name}.onnx`)), { engine: async () => engine })
  console.log(name, [...m.opsets].join())
  for (const n of m.graph.nodes) if (/LSTM|GRU|Conv|MatMul|Gemm/.test(n.op)) console.log('  ', n.op, n.name, n.inputs.map((i) => m.graph.constants.get(i)?.shape.join('x') ?? (i === '' ? '-' : 'x')).join(' '), n.outputs.join(','), Object.keys(n.attrs).join())
}
await engine.close()
