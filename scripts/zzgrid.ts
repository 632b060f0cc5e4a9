import { openMap } from '../src/reduce/tsne/descent.js'
import { random } from '../src/util/random.js'
const n = Number(process.argv[2] ?? 500), spread = Number(process.argv[3] ?? 10)
const { normal } = random(1)
const start = Float32Array.from({ length: 2 * n }, () => normal(0, spread))
const aff = { count: n, starts: Int32Array.from({ length: n + 1 }, (_, i) => 4 * i), indices: Int32Array.from({ length: 4 * n }, (_, e) => Math.floor(e / 4)), values: new Float32Array(4 * n), entropy: 0 }
for (const method of ['grid', 'barnes-hut'] as const) {
  const f = (m: 'exact' | 'grid' | 'barnes-hut') => openMap(start, aff, { dims: 2, method: m, theta: 0.5, maxStepNorm: 5, parts: 1 }).forces()
  const exact = f('exact'), grid = f(method)
  // double-precision reference
  let err = 0, size = 0, worst = 0, ref0 = 0
  let z = 0; const R = new Float64Array(2 * n)
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) if (i !== j) { const dx = start[2*i]! - start[2*j]!, dy = start[2*i+1]! - start[2*j+1]!; const q = 1/(1+dx*dx+dy*dy); z += q; R[2*i]! += q*q*dx; R[2*i+1]! += q*q*dy }
  for (let k = 0; k < 2 * n; k++) { R[k]! /= z; err += (grid.repulsion[k]! - R[k]!) ** 2; ref0 += (exact.repulsion[k]! - R[k]!) ** 2; size += R[k]! ** 2; worst = Math.max(worst, Math.abs(grid.repulsion[k]! - R[k]!)) }
  console.log(method, 'exact rel', Math.sqrt(ref0 / size), 'rel', Math.sqrt(err / size), 'worst/rms', worst / Math.sqrt(size / n), 'z', z, exact.z / z - 1, grid.z / z - 1)
}
