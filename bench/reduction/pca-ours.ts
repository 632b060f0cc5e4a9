/** Principal components with this library: `npx tsx bench/reduction/pca-ours.ts FILE WAY COMPONENTS THREADS`. */

import { closeSync, openSync, readSync } from 'node:fs'
import { parseNpyHeader } from '../../src/data/npy.js'
import { type Engine, openEngine, reduce, VERSION } from '../../src/node.js'
import { readArray } from '../linear/arrays.js'

const [file, way, components, threads] = process.argv.slice(2) as [string, string, string, string]
const nComponents = Number(components)

/** Of a block. */
const ROWS = 8192

/** Bytes before the rows, as bench/linear/arrays.ts writes them for a matrix. */
const HEADER = 128

/** Rows of a matrix in a file. */
function* blocks(path: string) {
  const handle = openSync(path, 'r')
  try {
    const header = Buffer.alloc(HEADER)
    readSync(handle, header, 0, HEADER, 0)
    const columns = parseNpyHeader(header.toString('latin1', 10), path).shape[1]!
    // A block may be used again once the next one is asked for.
    const data = new Float64Array(ROWS * columns)
    for (let at = HEADER; ; ) {
      const bytes = new Uint8Array(data.buffer)
      let got = 0
      for (let some = -1; some !== 0 && got < bytes.length; got += some)
        some = readSync(handle, bytes, got, bytes.length - got, at + got)
      if (got === 0) return
      at += got
      const rows = got / 8 / columns
      yield { rows, columns, data: data.subarray(0, rows * columns) }
    }
  } finally {
    closeSync(handle)
  }
}

async function timed(solve: () => Promise<reduce.Pca>): Promise<void> {
  const begin = performance.now()
  const { explainedVariance } = await solve()
  const seconds = (performance.now() - begin) / 1000
  console.log(JSON.stringify({ seconds, version: VERSION, variances: [...explainedVariance] }))
}

async function measure(engine: Engine): Promise<void> {
  const warm = { rows: 3000, columns: 60, data: Float64Array.from({ length: 180_000 }, (_, i) => Math.sin(i * i)) }
  await reduce.pca(warm, { nComponents: 5, engine })
  if (way === 'streamed') return timed(() => reduce.pcaOfBlocks(blocks(file), { nComponents, engine }))
  const { shape, data } = readArray(file)
  const x = { rows: shape[0]!, columns: shape[1]!, data: way === 'float32' ? Float32Array.from(data) : data }
  return timed(() => reduce.pca(x, { nComponents, engine }))
}

const engine = await openEngine({ threads: Number(threads) })
await measure(engine)
await engine.close()
