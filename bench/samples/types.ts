/** What the benchmarks feed to one model: real inputs for calibrating, and others that calibration never saw. */

import type { Sample, Samples } from '../../src/data/samples.js'
import { PareError } from '../../src/util/errors.js'
import { dataPath } from '../../test/data.js'

export interface ModelSamples {
  /** The model's file name without `.onnx`. */
  readonly model: string
  /** Where the inputs come from and how the two sets are kept apart, in a sentence for tables. */
  readonly about: string
  readonly calibration: Samples
  /** So many samples like those that calibrate, where more of them can be had. */
  readonly many?: (count: number) => Samples
  readonly heldout: Samples
}

/** Samples over a generator that is started anew for each reading. */
export function samplesOf(name: string, count: number | null, generate: () => AsyncIterable<Sample>): Samples {
  return {
    name,
    count,
    async *read(options = {}) {
      for await (const sample of generate()) {
        options.signal?.throwIfAborted()
        yield sample
      }
    },
  }
}

/** The path of a data file. Throws `DATA_MISSING` where the data folder or the file is not there. */
export function requiredPath(relative: string): string {
  const path = dataPath(relative)
  if (path !== null) return path
  throw new PareError('DATA_MISSING', 'a file of the data folder is missing', {
    value: relative,
    remedy: 'Set PARE_DATA to the folder that holds models/ and samples/.',
  })
}
