/**
 * The peer: the same network in jax-js on WebAssembly. `node jax_peer.mjs FOLDER NAME EPOCHS`, where FOLDER holds
 * node_modules with @jax-js/jax. Prints milliseconds a step, the first ones left out.
 */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const [folder, name, epochs] = process.argv.slice(2)
const at = join(folder, 'node_modules/@jax-js/jax')
const jax = await import(pathToFileURL(join(at, 'dist/index.js')).href)
const { numpy: np, nn, lax, random, valueAndGrad, jit, tree } = jax
jax.defaultDevice('wasm')

const STEPS = 5

let seed = 0
const key = () => random.key(seed++)
const drawn = (shape, deviation) => random.normal(key(), shape).mul(deviation)
const dense = (from, to) => ({ w: drawn([from, to], Math.sqrt(2 / from)), b: np.zeros([to]) })
const conv = (from, to) => ({ w: drawn([to, from, 3, 3], Math.sqrt(2 / (9 * from))), b: np.zeros([to, 1, 1]) })
const norm = (width) => ({ w: np.ones([width]), b: np.zeros([width]) })

const denseOf = (x, { w, b }) => np.dot(x, w).add(b)
const convOf = (x, { w, b }) => lax.conv(x, w, [1, 1], 'SAME').add(b)
const normOf = (x, { w, b }) => nn.standardize(x).mul(w).add(b)
const pooled = (x) => lax.reduceWindow(x, (window) => np.max(window), [2, 2], [2, 2])

function attention(x, { qkv, out }) {
  const [n, places, width] = x.shape
  const [heads, size] = [4, width / 4]
  const [q, k, v] = np
    .split(np.dot(x, qkv), 3, -1)
    .map((part) => part.reshape([n, places, heads, size]).transpose([0, 2, 1, 3]))
  const scores = np.matmul(q, k.transpose([0, 1, 3, 2])).mul(1 / Math.sqrt(size))
  const seen = np.where(np.tri(places, places, 0, { dtype: np.bool }), scores, -Infinity)
  const mixed = np.matmul(nn.softmax(seen), v)
  return np.dot(mixed.transpose([0, 2, 1, 3]).reshape([n, places, width]), out)
}

const pictures = (batch, shape) => random.normal(key(), [batch, ...shape])
const indices = (shape, count) => random.randint(key(), { shape, minval: 0, maxval: count, dtype: np.int32 })

const NETWORKS = {
  mlp: {
    batch: 128,
    params: () => [dense(784, 512), dense(512, 256), dense(256, 10)],
    scores: ([first, second, last], x) => denseOf(nn.relu(denseOf(nn.relu(denseOf(x, first)), second)), last),
    data: (batch) => [pictures(batch, [784]), nn.oneHot(indices([batch], 10), 10)],
  },
  cnn: {
    batch: 64,
    params: () => [conv(1, 16), conv(16, 32), dense(32 * 7 * 7, 128), dense(128, 10)],
    scores: ([first, second, third, last], x) => {
      const seen = pooled(nn.relu(convOf(pooled(nn.relu(convOf(x, first))), second)))
      return denseOf(nn.relu(denseOf(seen.reshape([x.shape[0], -1]), third)), last)
    },
    data: (batch) => [pictures(batch, [1, 28, 28]), nn.oneHot(indices([batch], 10), 10)],
  },
  transformer: {
    batch: 16,
    params: () => ({
      letters: drawn([65, 128], 0.02),
      places: drawn([128, 128], 0.02),
      norms: [norm(128), norm(128), norm(128)],
      attention: { qkv: drawn([128, 384], 128 ** -0.5), out: drawn([128, 128], 128 ** -0.5) },
      up: dense(128, 512),
      down: dense(512, 128),
      head: dense(128, 65),
    }),
    scores: (p, x) => {
      const put = np.take(p.letters, x, 0).add(p.places)
      const looked = put.ref.add(attention(normOf(put, p.norms[0]), p.attention))
      const wide = nn.gelu(denseOf(normOf(looked.ref, p.norms[1]), p.up), { approximate: false })
      return denseOf(normOf(looked.add(denseOf(wide, p.down)), p.norms[2]), p.head)
    },
    data: (batch) => [indices([batch, 128], 65), nn.oneHot(indices([batch, 128], 65), 65)],
  },
}

const { batch, params: initial, scores, data } = NETWORKS[name]
const loss = (p, x, y) => nn.logSoftmax(scores(p, x)).mul(y).sum(-1).mean().mul(-1)
const step = jit((p, m, v, rate, unbias, x, y) => {
  const [cost, g] = valueAndGrad(loss)(tree.ref(p), x, y)
  const m2 = tree.map((a, b) => a.mul(0.9).add(b.mul(0.1)), m, tree.ref(g))
  const v2 = tree.map((a, b) => a.mul(0.999).add(b.ref.mul(b).mul(0.001)), v, g)
  const moved = (w, a, b) => w.sub(a.mul(rate.ref).div(np.sqrt(b.mul(unbias.ref)).add(1e-8)))
  const next = tree.map(moved, p, tree.ref(m2), tree.ref(v2))
  rate.dispose()
  unbias.dispose()
  return [cost, next, m2, v2]
})

let params = initial()
const zeros = () => tree.map((w) => np.zeros(w.shape), params)
let [m, v] = [zeros(), zeros()]
const [x, y] = data(batch)
const times = []
let t = 0
for (let epoch = 0; epoch <= Number(epochs); epoch++) {
  const begin = performance.now()
  for (let i = 0; i < STEPS; i++) {
    t++
    const [rate, unbias] = [np.array(1e-3 / (1 - 0.9 ** t)), np.array(1 / (1 - 0.999 ** t))]
    const [cost, p, m2, v2] = step(params, m, v, rate, unbias, x.ref, y.ref)
    ;[params, m, v] = [p, m2, v2]
    await cost.data()
  }
  times.push((performance.now() - begin) / STEPS)
}
const { version } = JSON.parse(readFileSync(join(at, 'package.json'), 'utf8'))
console.log(JSON.stringify({ ms: times.slice(1), version }))
