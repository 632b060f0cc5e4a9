/** What holds of a model before anything is made smaller: it can be inspected, and reading and writing it changes nothing. */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Samples } from '../../src/data/samples.js'
import type { Engine, Feeds } from '../../src/engine/engine.js'
import type { Tensor } from '../../src/ir/types.js'
import { readModel, writeModel } from '../../src/onnx/files.js'
import { inspectModel } from '../../src/passes/inspect.js'

export interface Facts {
  readonly bytes: number
  readonly nodes: number
  readonly parameters: number
  readonly macs: number
  /** Nodes whose products `inspect` cannot count, and ops that it has no record of. */
  readonly unknownMacs: number
  readonly unknownOps: readonly string[]
  readonly problems: readonly string[]
  readonly roundTrip: RoundTrip
}

export interface RoundTrip {
  readonly sameBytes: boolean
  /** Samples whose outputs, with the engine's rewriting off, are the same bit for bit. */
  readonly sameOutputs: number
  readonly samples: number
}

/** Samples that the round trip is tried on, at most. */
const SAMPLES = 100

export async function factsOf(path: string, samples: Samples, engine: Engine): Promise<Facts> {
  const inspection = inspectModel(await readModel(path))
  return {
    bytes: readFileSync(path).length,
    nodes: inspection.nodes,
    parameters: inspection.parameters,
    macs: inspection.macs,
    unknownMacs: inspection.unknownMacs.length,
    unknownOps: inspection.unknownOps,
    problems: inspection.problems,
    roundTrip: await roundTrip(path, samples, engine),
  }
}

async function roundTrip(path: string, samples: Samples, engine: Engine): Promise<RoundTrip> {
  const folder = mkdtempSync(join(tmpdir(), 'pare-round-trip-'))
  try {
    const written = join(folder, 'written.onnx')
    await writeModel(await readModel(path), written)
    const sessions = await Promise.all(
      [path, written].map((file) => engine.load({ path: file }, { optimization: 'off' })),
    )
    const [before, after] = sessions as [(typeof sessions)[0], (typeof sessions)[0]]
    let seen = 0
    let same = 0
    for await (const { feeds } of samples.read()) {
      if (seen++ >= SAMPLES) break
      if (isSame(await before.run(feeds), await after.run(feeds))) same++
    }
    for (const session of sessions) await session.close()
    return {
      sameBytes: readFileSync(path).equals(readFileSync(written)),
      sameOutputs: same,
      samples: Math.min(seen, SAMPLES),
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const isSame = (a: Feeds, b: Feeds): boolean =>
  Object.keys(a).length === Object.keys(b).length &&
  Object.entries(a).every(([name, t]) => b[name] !== undefined && isSameTensor(t, b[name]))

const isSameTensor = (a: Tensor, b: Tensor): boolean =>
  a.dtype === b.dtype && a.shape.join() === b.shape.join() && Buffer.compare(a.bytes(), b.bytes()) === 0
