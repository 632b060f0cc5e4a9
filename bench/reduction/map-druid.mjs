/** One map by DruidJS: node map-druid.mjs FOLDER SEED PACKAGES; PACKAGES is a folder where it is installed. */

import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const [folder, seed, packages] = process.argv.slice(2)
const require = createRequire(join(packages, 'package.json'))
const { default: _, ...druid } = await import(pathToFileURL(require.resolve('@saehrimnir/druidjs')).href)
const { version } = JSON.parse(readFileSync(join(packages, 'node_modules/@saehrimnir/druidjs/package.json'), 'utf8'))

const bytes = readFileSync(join(folder, 'x.npy'))
const start = 10 + bytes.readUInt16LE(8)
const [rows, columns] = /'shape': \((\d+), (\d+)\)/
  .exec(bytes.toString('latin1', 0, start))
  .slice(1)
  .map(Number)
const at = (i, j) => bytes.readDoubleLE(start + 8 * (i * columns + j))
const x = Array.from({ length: rows }, (_, i) => Array.from({ length: columns }, (_, j) => at(i, j)))

const begin = performance.now()
const found = new druid.TSNE(x, { perplexity: 30, seed: Number(seed) }).transform(750)
const seconds = (performance.now() - begin) / 1000

const points = Float64Array.from(Array.from(found, (row) => Array.from(row)).flat())
const text = `{'descr': '<f8', 'fortran_order': False, 'shape': (${rows}, 2), }`.padEnd(117)
const head = Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, 118, 0])
writeFileSync(join(folder, 'map.npy'), Buffer.concat([head, Buffer.from(`${text}\n`), Buffer.from(points.buffer)]))
console.log(JSON.stringify({ seconds, version }))
