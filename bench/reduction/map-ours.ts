/** One map: `npx tsx bench/reduction/map-ours.ts FOLDER SEED THREADS`; x.npy to map.npy, the seconds are printed. */

import { join } from 'node:path'
import { openEngine, reduce } from '../../src/node.js'
import { VERSION } from '../../src/util/version.js'
import { readArray, writeArray } from '../linear/arrays.js'

const [folder, seed, threads] = process.argv.slice(2) as [string, string, string]
const { shape, data } = readArray(join(folder, 'x.npy'))
const [rows, columns] = shape as [number, number]

const begin = performance.now()
const engine = await openEngine({ threads: Number(threads) })
const map = await reduce.tsne({ rows, columns, data, order: 'row-major' }, { engine, seed: Number(seed) })
const seconds = (performance.now() - begin) / 1000
await engine.close()
writeArray(join(folder, 'map.npy'), { shape: [rows, 2], data: Float64Array.from(map.embedding), isFortran: false })
console.log(JSON.stringify({ seconds, version: VERSION, told: map.klDivergence }))
