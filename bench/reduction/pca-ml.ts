/** Components by ml-pca: `npx tsx pca-ml.ts FILE COMPONENTS PACKAGES`; PACKAGES is a folder where it is installed. */

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { readArray } from '../linear/arrays.js'

const [file, components, packages] = process.argv.slice(2) as [string, string, string]
const require = createRequire(join(packages, 'package.json'))
const { PCA } = require('ml-pca')
const { version } = JSON.parse(readFileSync(join(packages, 'node_modules/ml-pca/package.json'), 'utf8'))

const { shape, data } = readArray(file)
const [rows, columns] = shape as [number, number]
const x = Array.from({ length: rows }, (_, i) => Array.from(data.subarray(i * columns, (i + 1) * columns)))

const begin = performance.now()
const variances = new PCA(x, { method: 'covarianceMatrix' }).getEigenvalues().slice(0, Number(components))
const seconds = (performance.now() - begin) / 1000
console.log(JSON.stringify({ seconds, version, variances }))
