/** Components by ml-pca: node pca-ml.mjs FILE COMPONENTS PACKAGES; PACKAGES is a folder where it is installed. */

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const [file, components, packages] = process.argv.slice(2)
const require = createRequire(join(packages, 'package.json'))
const { PCA } = require('ml-pca')
const { version } = JSON.parse(readFileSync(join(packages, 'node_modules/ml-pca/package.json'), 'utf8'))

const bytes = readFileSync(file)
const start = 10 + bytes.readUInt16LE(8)
const [rows, columns] = /'shape': \((\d+), (\d+)\)/
  .exec(bytes.toString('latin1', 0, start))
  .slice(1)
  .map(Number)
const at = (i, j) => bytes.readDoubleLE(start + 8 * (i * columns + j))
const x = Array.from({ length: rows }, (_, i) => Array.from({ length: columns }, (_, j) => at(i, j)))

const begin = performance.now()
const variances = new PCA(x, { method: 'covarianceMatrix' }).getEigenvalues().slice(0, Number(components))
const seconds = (performance.now() - begin) / 1000
console.log(JSON.stringify({ seconds, version, variances }))
