/** The machine that a search runs on: for the report, and because what was timed on one says nothing of another. */

import { cpus, totalmem } from 'node:os'
import { cpuFeatures } from '../engine/node/doctor.js'
import type { Outcome } from './outcome.js'

export async function machineOf(): Promise<Outcome['machine']> {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryBytes: totalmem(),
    features: (await cpuFeatures()) ?? [],
    platform: `${process.platform}-${process.arch}`,
    runtime: `Node ${process.version}`,
  }
}
