/** Outputs that are class scores, so that top-1 agreement means something; by the model's file name without `.onnx`. */
export const CLASS_SCORES: Readonly<Record<string, string>> = {
  'magika-v3.3': 'target_label',
  'mnist-cntk': 'Plus214_Output_0',
}
