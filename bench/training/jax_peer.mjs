/**
 * The peer: the MLP in jax-js on WebAssembly. `node jax_peer.mjs FOLDER EPOCHS`, where FOLDER holds node_modules with
 * @jax-js/jax. Prints milliseconds a step, the first ones left out.
 */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const [folder, epochs] = process.argv.slice(2)
const at = join(folder, 'node_modules/@jax-js/jax')
const jax = await import(pathToFileURL(join(at, 'dist/index.js')).href)
const { numpy: np, nn, random, valueAndGrad, jit, tree } = jax
jax.defaultDevice('wasm')

const [batch, steps] = [128, 5]
const sizes = [784, 512, 256, 10]
const key = (n) => random.key(n)
let params = sizes
  .slice(1)
  .map((n, i) => ({ w: random.normal(key(i), [sizes[i], n]).mul(Math.sqrt(2 / sizes[i])), b: np.zeros([n]) }))
const zeros = () => params.map(({ w, b }) => ({ w: np.zeros(w.shape), b: np.zeros(b.shape) }))
let [m, v] = [zeros(), zeros()]
const x = random.normal(key(9), [batch, 784])
const y = nn.oneHot(
  np.array(
    Array.from({ length: batch }, (_, i) => i % 10),
    { dtype: np.int32 },
  ),
  10,
)

const forward = (p, input) =>
  p.reduce((h, { w, b }, i) => {
    const z = np.dot(h, w).add(b)
    return i < p.length - 1 ? nn.relu(z) : z
  }, input)
const loss = (p, input, target) =>
  nn
    .logSoftmax(forward(p, input))
    .mul(target)
    .sum()
    .mul(-1 / batch)
const step = jit((p, m, v, rate, input, target) => {
  const [cost, g] = valueAndGrad(loss)(tree.ref(p), input, target)
  const m2 = tree.map((a, b) => a.mul(0.9).add(b.mul(0.1)), m, tree.ref(g))
  const v2 = tree.map((a, b) => a.mul(0.999).add(b.ref.mul(b).mul(0.001)), v, g)
  const next = tree.map((w, a, b) => w.sub(a.mul(rate.ref).div(np.sqrt(b).add(1e-8))), p, tree.ref(m2), tree.ref(v2))
  rate.dispose()
  return [cost, next, m2, v2]
})
const times = []
for (let epoch = 0; epoch <= Number(epochs); epoch++) {
  const begin = performance.now()
  for (let i = 0; i < steps; i++) {
    const [cost, p, m2, v2] = step(params, m, v, np.array(1e-3), x.ref, y.ref)
    ;[params, m, v] = [p, m2, v2]
    await cost.data()
  }
  times.push((performance.now() - begin) / steps)
}
const { version } = JSON.parse(readFileSync(join(at, 'package.json'), 'utf8'))
console.log(JSON.stringify({ ms: times.slice(1), version }))
