/**
 * Mutual information by this library: `npx tsx bench/reduction/information.ts FOLDER KIND THREADS`. FOLDER holds `warm` and
 * `problem`; seconds and scores are printed.
 */

import { join } from 'node:path'
import { openEngine, select } from '../../src/node.js'
import { VERSION } from '../../src/util/version.js'
import { readArray } from '../linear/arrays.js'

const [folder, kind, threads] = process.argv.slice(2) as [string, string, string]

function read(name: string) {
  const x = readArray(join(folder, name, 'x.npy'))
  return {
    x: { rows: x.shape[0]!, columns: x.shape[1]!, data: x.data },
    y: readArray(join(folder, name, 'y.npy')).data,
  }
}

const engine = await openEngine({ threads: Number(threads) })
const options = { engine, isClasses: kind === 'classes' }
const warm = read('warm')
await select.mutualInformation(warm.x, warm.y, options)
const { x, y } = read('problem')
const [begin, used] = [performance.now(), process.cpuUsage()]
const { scores } = await select.mutualInformation(x, y, options)
const seconds = (performance.now() - begin) / 1000
const { user, system } = process.cpuUsage(used)
await engine.close()
console.log(JSON.stringify({ seconds, processorSeconds: (user + system) / 1e6, scores: [...scores], version: VERSION }))
