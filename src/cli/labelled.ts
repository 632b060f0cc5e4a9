/** Samples with the labels of `--labels`. */

import type { Samples } from '../data/samples.js'

export async function labelled(samples: Samples, labels: string | undefined): Promise<Samples> {
  if (labels === undefined) return samples
  const [{ openLabels }, { withLabels }] = await Promise.all([
    import('../data/open-labels.js'),
    import('../data/labels.js'),
  ])
  return withLabels(samples, await openLabels(labels))
}
