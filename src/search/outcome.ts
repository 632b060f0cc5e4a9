/** What a compression ends in: everything the report shows and a reader needs to run it again. Plain JSON. */

import type { InputShapes } from '../passes/with-shapes.js'
import type { Latency, MissedKernel, TrialResult } from './trial.js'

/** Stands for errors that are not numbers, and for the drop of a candidate that does not run: JSON has no infinity. */
export const BROKEN = 1e9

/** No drop or error is larger than `BROKEN`; what is no number at all is broken too. */
export const isBroken = (dropOrError: number): boolean => !(dropOrError < BROKEN)

/** How quality was measured. */
export interface Measure {
  readonly kind: 'accuracy' | 'rmse' | 'metric' | 'top-1 agreement' | 'relative error' | 'none'
  /** The output it was taken from, where it is one. */
  readonly output?: string
  /** All outputs that hold class scores, that one first, where there are several. */
  readonly scores?: readonly string[]
  /** Other outputs are held to the budget too, by their relative errors, so that a drop is not a share of samples. */
  readonly judgesOthers?: boolean
  /** One sentence for the reader: what the number means and what it cannot promise. */
  readonly explanation: string
  readonly higherIsBetter: boolean
  /** The original's own value; agreement measures have 1 or 0. */
  readonly baseline: number | null
}

/** What quantizing one layer alone costs. */
export interface LayerSensitivity {
  readonly node: string
  /** Where several nodes share the weight: all of them; `node` then says so. */
  readonly nodes?: readonly string[]
  readonly op: string
  readonly parameters: number
  /** Drop in the report's measure when only this layer is quantized. */
  readonly drop: number
  /** Relative L2 error of the worst output when only this layer is quantized. */
  readonly relativeError: number
  /** Left out of the recipe in the chosen candidate, so kept in float. */
  readonly keptFloat: boolean
}

/** How layers were asked what they cost. */
export interface Asked {
  /** Name of the recipe that was applied to one layer at a time. */
  readonly recipe: string
  /** Whether the chosen candidate is made by it. */
  readonly isChosen: boolean
  /** Held-out samples that each answer rests on. */
  readonly samples: number
  /** Layers with weights; those that the recipe leaves as they are have no answer. */
  readonly layers: number
}

/** What a static candidate computes in float although it was meant for integers. */
export interface Missed {
  /** Id of the trial. */
  readonly trial: string
  /** Whose graph was looked at: the native engine's where the target shows none; null where there is none to look at. */
  readonly engine: string | null
  readonly isTarget: boolean
  readonly kernels: readonly MissedKernel[]
}

/** What a search for a front tells beside its trials. */
export interface FrontSearch {
  /** Recipes that were drawn or planned; each was screened, on few samples and with a short timing. */
  readonly drawn: number
  /** Results of screening, of all rungs but the last, cheapest first. */
  readonly screened: readonly ScreenedTrial[]
  /** Transforms that had nothing to do on this model. */
  readonly refused: readonly { readonly transform: string; readonly reason: string }[]
  /** Steps of a recovery at full length, at most; null where the ranges of the transforms stand. */
  readonly recoverySteps: number | null
  /** The volume that the front dominates, after each full trial; see docs. */
  readonly growth: readonly number[]
}

export interface ScreenedTrial {
  readonly name: string
  readonly rung: number
  readonly bytes?: number
  readonly ratio?: number
  readonly drop?: number
  /** Of one that failed. */
  readonly error?: string
}

export interface Outcome {
  readonly schema: 1
  readonly tool: { readonly name: 'pare'; readonly version: string }
  /** When the search came to its end, ISO 8601; resuming it later does not change that. */
  readonly date: string
  /** The command line that gives this outcome again. */
  readonly command: string
  readonly machine: {
    readonly cpu: string
    readonly cores: number
    readonly memoryBytes: number
    readonly features: readonly string[]
    readonly platform: string
    readonly runtime: string
  }
  readonly engine: {
    readonly name: string
    readonly version: string
    readonly device: string
    readonly threads: number
  }
  readonly model: {
    readonly name: string
    readonly sha256: string
    /** Hash and bytes are those of the file that was given; else those of the one file that the model would be written to. */
    readonly isFile: boolean
    /** Sizes that were given for dimensions which the model leaves open. */
    readonly shapes: InputShapes
    readonly bytes: number
    readonly parameters: number
    readonly macs: number | null
    readonly opset: number
  }
  readonly data: {
    readonly name: string
    /** Samples that the source holds; those used were drawn from all of them. */
    readonly total: number
    readonly calibration: number
    readonly heldOut: number
    readonly labels: boolean
  } | null
  readonly measure: Measure
  readonly budget: {
    readonly maxDrop: number
    /** Hard limits, where they were given: bytes, and milliseconds a run. */
    readonly maxBytes?: number
    readonly maxLatency?: number
    readonly for: 'latency' | 'size'
    readonly target: 'node' | 'web' | 'webgpu'
    readonly portable: boolean
  }
  readonly baseline: { readonly bytes: number; readonly latency: Latency; readonly peakMemoryBytes: number | null }
  readonly trials: readonly TrialResult[]
  /** Ids of the trials on the Pareto front of size, latency and drop; `original` where the original is on it. */
  readonly front: readonly string[]
  /** Where every lever was tried. */
  readonly search?: FrontSearch
  /** Id of the trial handed back; null: the original is best, and nothing was written. */
  readonly chosen: string | null
  readonly chosenPeakMemoryBytes: number | null
  /** One sentence: what was chosen and why, or why nothing was. */
  readonly verdict: string
  readonly sensitivity: readonly LayerSensitivity[]
  /** Null where no layer was asked about. */
  readonly asked: Asked | null
  /** Of the chosen trial where it is static, else of the fastest that is; null where none is, or looking failed. */
  readonly missed: Missed | null
  /** What the reader must know: fallbacks, unmeasured promises, too few samples. */
  readonly warnings: readonly string[]
  /** Of all runs together, where the search was interrupted. */
  readonly seconds: number
}
