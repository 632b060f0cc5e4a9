/** Outputs that are class scores, in which top-1 agreement is counted; by the model's file name without `.onnx`. */

export interface ClassScores {
  readonly output: string
  /** Classes: the output holds rows of so many scores, one row a sample or, of a detector, one a place. */
  readonly classes: number
}

/** Declared, or as `pare` finds them by itself: rows that add up to 1. */
export const CLASS_SCORES: Readonly<Record<string, ClassScores>> = {
  'magika-v3.3': { output: 'target_label', classes: 214 },
  'mnist-cntk': { output: 'Plus214_Output_0', classes: 10 },
  'ultraface-slim-320': { output: 'scores', classes: 2 },
  'ultraface-rfb-320': { output: 'scores', classes: 2 },
}
