/** [rows, columns] → [columns, rows]. */
export function transposed<T extends Float32Array | Int8Array>(data: T, rows: number, columns: number): T {
  const out = new (data.constructor as new (length: number) => T)(data.length)
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) out[j * rows + i] = data[i * columns + j]!
  return out
}
