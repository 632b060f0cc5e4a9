/** What `pare prune` measures of the model before and after: latency and quality. */

import type { Samples } from '../data/samples.js'
import { take } from '../data/split.js'
import { withStates } from '../data/state.js'
import { randomFeeds } from '../data/synthesize.js'
import type { Engine, Feeds, Session } from '../engine/engine.js'
import { openEngine } from '../engine/node/open.js'
import { ratio, summary } from '../engine/timing.js'
import type { Model } from '../ir/types.js'
import { encodeModel } from '../onnx/codec.js'
import { openJudge } from '../search/quality.js'
import type { Context } from './command.js'
import type { PruneAnswer, PruneQuality } from './prune-answer.js'

/** Inputs that rounds of timing take turns with. */
const INPUTS = 8

/** Both models by turns, at one thread; null where inputs cannot be made. */
export async function latencyOf(
  [before, after]: readonly [Model, Model],
  samples: Samples | null,
  { signal, onProgress }: Context,
): Promise<PruneAnswer['latency']> {
  onProgress({ task: 'measuring latency', done: 0 })
  const engine = await openEngine({ threads: 1 })
  try {
    const sources = [encodeModel(before).bytes, encodeModel(after).bytes]
    const feeds = await feedsOf(engine, sources[0]!, samples, signal)
    const [old, now] = await engine.measure(sources, feeds, { rounds: 60, budgetMs: 4000, signal })
    const { ratio: share, low, high } = ratio(old!.runs, now!.runs)
    return { before: summary(old!.runs).p50, after: summary(now!.runs).p50, ratio: share, low, high, threads: 1 }
  } finally {
    await engine.close()
  }
}

async function feedsOf(
  engine: Engine,
  model: Uint8Array,
  samples: Samples | null,
  signal: AbortSignal,
): Promise<readonly Feeds[]> {
  const session = await engine.load(model, { signal })
  try {
    if (samples === null) return Array.from({ length: INPUTS }, (_, seed) => randomFeeds(session.inputs, { seed }))
    const feeds: Feeds[] = []
    for await (const sample of withStates(take(samples, INPUTS), session).read({ signal })) feeds.push(sample.feeds)
    return feeds
  } finally {
    await session.close()
  }
}

interface Judged {
  readonly before: Model
  readonly cut: Model | null
  readonly after: Model
}

export async function qualityOf(
  engine: Engine,
  { before, cut, after }: Judged,
  samples: Samples,
  { scores, seed }: { readonly scores: string | undefined; readonly seed: number },
  { signal, onProgress, warn }: Context,
): Promise<PruneQuality> {
  onProgress({ task: 'judging', done: 0 })
  const open: Session[] = []
  const load = async (model: Model): Promise<Session> => {
    const session = await engine.load(encodeModel(model).bytes, { signal })
    open.push(session)
    return session
  }
  try {
    const judge = await openJudge(await load(before), samples, {
      signal,
      seed,
      ...(scores !== undefined && { scores }),
    })
    for (const warning of judge.warnings) warn(warning)
    const quality = async (model: Model): Promise<number> => (await judge.evaluate(await load(model))).value
    return {
      measure: judge.measure,
      samples: judge.samples,
      before: judge.measure.baseline!,
      cut: cut && (await quality(cut)),
      after: await quality(after),
    }
  } finally {
    for (const session of open) await session.close()
  }
}
