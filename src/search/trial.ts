/**
 * A trial is one candidate: a list of steps applied to a model. It is plain JSON, so that a journal can keep it
 * and any executor can run it. A result is what was measured, plain JSON too.
 */

export interface Step {
  /** Id of a transform: `quantize/static`. */
  readonly transform: string
  readonly params: Readonly<Record<string, unknown>>
}

export interface Trial {
  /** Short and stable: derived from model, steps and seed. */
  readonly id: string
  /** What a person would call it: `static int8, per channel, percentile`. */
  readonly name: string
  /** SHA-256 of the model file the steps start from. */
  readonly model: string
  readonly steps: readonly Step[]
  readonly seed: number
}

export interface Latency {
  /** Milliseconds a run. */
  readonly p50: number
  readonly p95: number
  /** Median of candidate ÷ original, measured interleaved; below 1 is faster. */
  readonly ratio: number
  /** Interval of the ratio that holds with 95 % confidence. */
  readonly interval: readonly [number, number]
}

/** Agreement of one output with the original's, over the held-out samples. */
export interface OutputAgreement {
  readonly name: string
  readonly cosine: number
  /** ‖candidate − original‖₂ / ‖original‖₂ over all samples. */
  readonly relativeError: number
  readonly maxAbsolute: number
  /** Only where the output holds class scores. */
  readonly top1?: number
}

export interface Quality {
  /** In the unit of the report's measure; higher is better for accuracy and agreement, lower for errors. */
  readonly value: number
  /** How much worse than the original; 0 is as good, negative is better. */
  readonly drop: number
  /** The output that the drop is of, where it is not the measure's. */
  readonly worst?: string
  readonly outputs: readonly OutputAgreement[]
}

/** A node that carries integers around it and is computed in float all the same. */
export interface MissedKernel {
  readonly node: string
  readonly op: string
  readonly reason: string
}

export interface TrialResult {
  readonly trial: Trial
  /** `failed` trials say why in `error` and carry no measurements. */
  readonly status: 'ok' | 'failed'
  readonly error?: string
  /** SHA-256 of the candidate's file, which lies in the run folder as `<sha256>.onnx`. */
  readonly sha256?: string
  readonly bytes?: number
  readonly latency?: Latency
  /** Absent without samples. */
  readonly quality?: Quality
  /** Losses over the course of a recovery, thinned out. */
  readonly losses?: readonly number[]
  /** Within the budget and limits, not larger than the original and not slower, by all that was measured. */
  readonly keeps?: boolean
  readonly seconds: number
}
