/** One map by DruidJS: `npx tsx map-druid.ts FOLDER SEED PACKAGES`; PACKAGES is a folder where it is installed. */

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { readArray, writeArray } from '../linear/arrays.js'

const [folder, seed, packages] = process.argv.slice(2) as [string, string, string]
const require = createRequire(join(packages, 'package.json'))
const druid = await import(pathToFileURL(require.resolve('@saehrimnir/druidjs')).href)
const { version } = JSON.parse(readFileSync(join(packages, 'node_modules/@saehrimnir/druidjs/package.json'), 'utf8'))

const { shape, data } = readArray(join(folder, 'x.npy'))
const [rows, columns] = shape as [number, number]
const x = Array.from({ length: rows }, (_, i) => Array.from(data.subarray(i * columns, (i + 1) * columns)))

const begin = performance.now()
const found: Iterable<Iterable<number>> = new druid.TSNE(x, { perplexity: 30, seed: Number(seed) }).transform(750)
const seconds = (performance.now() - begin) / 1000

const points = Float64Array.from(Array.from(found, (row) => Array.from(row)).flat())
writeArray(join(folder, 'map.npy'), { shape: [rows, 2], data: points, isFortran: false })
console.log(JSON.stringify({ seconds, version }))
