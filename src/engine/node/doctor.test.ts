import { expect, test } from 'vitest'
import { coresIn, physicalCores } from './cores.js'
import { doctorFacts, featuresIn } from './doctor.js'

const block = (id: number, package_: number, core: number) =>
  `processor\t: ${id}\nphysical id\t: ${package_}\ncore id\t\t: ${core}\nflags\t\t: fpu sse4_2 avx2 avx512f avx512_vnni\n`

test('cores are counted once, however many threads they have', () => {
  expect(coresIn([block(0, 0, 0), block(1, 0, 1), block(2, 0, 0), block(3, 0, 1)].join('\n'))).toBe(2)
  expect(coresIn([block(0, 0, 0), block(1, 1, 0)].join('\n'))).toBe(2)
  expect(coresIn('processor\t: 0\nBogoMIPS\t: 50.00\n')).toBeNull()
  expect(physicalCores()).toBeGreaterThanOrEqual(1)
})

test('processor features are read by the names of both architectures', () => {
  expect(featuresIn(block(0, 0, 0))).toEqual(['avx2', 'avx512f', 'avx512_vnni'])
  expect(featuresIn('processor\t: 0\nFeatures\t: fp asimd asimddp i8mm\n')).toEqual(['neon', 'dotprod', 'i8mm'])
  expect(featuresIn('processor\t: 0\n')).toBeNull()
})

test('the facts of this machine', async () => {
  const facts = await doctorFacts()
  expect(facts.node).toBe(process.version)
  const [native, web] = facts.engines
  expect(web).toMatchObject({ name: 'onnxruntime-web', version: expect.stringMatching(/^\d+\.\d+/), install: null })
  expect(web!.size).toBeGreaterThan(10e6)
  expect(facts.devices.find(({ device }) => device === 'wasm')).toEqual({
    device: 'wasm',
    works: true,
    problem: null,
    remedy: null,
  })
  expect(facts.devices.find(({ device }) => device === 'cpu')!.works).toBe(native!.version !== null)
  for (const { works, problem } of facts.devices) expect(works).toBe(problem === null)
  expect(facts.cpu.threads).toBeLessThanOrEqual(facts.cpu.logicalCores)
  expect(facts.memory.total).toBeGreaterThan(facts.memory.free)
  for (const p of [...facts.engines, ...facts.packages]) expect(p.version === null).toBe(p.install !== null)
  expect(JSON.parse(JSON.stringify(facts))).toEqual(facts)
})
