/**
 * Makes what `pare demo` runs on from the data in ../shared/data (or PARE_DATA): copies the model, and writes the 24
 * photographs, stretched to 320 x 240, as one file of raw video, `faces.y4m.gz`. `npx tsx scripts/make-demo.ts [FOLDER]`
 */

import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'fflate'
import sharp from 'sharp'
import { dataPath, repositoryRoot } from '../test/data.js'

const MODEL = 'ultraface-slim-320.onnx'
const WIDTH = 320
const HEIGHT = 240

/** YUV4MPEG2 video of one frame a photograph, in the order of their numbers. */
export async function photographsAsVideo(folder: string): Promise<Uint8Array> {
  const files = readdirSync(folder)
    .filter((file) => file.endsWith('.jpg'))
    .sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10))
  const text = new TextEncoder()
  const parts: Uint8Array[] = [text.encode(`YUV4MPEG2 W${WIDTH} H${HEIGHT} F1:1 Ip A1:1 C420jpeg\n`)]
  for (const file of files) parts.push(text.encode('FRAME\n'), planes(await pixels(join(folder, file))))
  return Buffer.concat(parts)
}

/** Interleaved RGB. */
const pixels = (file: string): Promise<Buffer> =>
  sharp(file)
    .resize(WIDTH, HEIGHT, { fit: 'fill', kernel: 'linear' })
    .removeAlpha()
    .toColourspace('srgb')
    .raw()
    .toBuffer()

/** Y, Cb, Cr of JFIF (BT.601, full range); chroma is the mean of 2 x 2 pixels. */
function planes(rgb: Uint8Array): Uint8Array {
  const area = WIDTH * HEIGHT
  const out = new Uint8ClampedArray(1.5 * area)
  const sums = new Float64Array(area / 2)
  for (let i = 0; i < area; i++) {
    const [r, g, b] = [rgb[3 * i]!, rgb[3 * i + 1]!, rgb[3 * i + 2]!]
    const y = 0.299 * r + 0.587 * g + 0.114 * b
    const at = (Math.floor(i / WIDTH) >> 1) * (WIDTH / 2) + ((i % WIDTH) >> 1)
    out[i] = y
    sums[at]! += (b - y) / 1.772
    sums[area / 4 + at]! += (r - y) / 1.402
  }
  for (let i = 0; i < sums.length; i++) out[area + i] = 128 + sums[i]! / 4
  return new Uint8Array(out.buffer)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = process.argv[2] ?? join(repositoryRoot, 'demo')
  const [model, photographs] = [dataPath(`models/${MODEL}`), dataPath('samples/faces')]
  if (model === null || photographs === null) throw new Error('the shared data is not there: set PARE_DATA')
  mkdirSync(folder, { recursive: true })
  copyFileSync(model, join(folder, MODEL))
  // fflate and no time of day: the same bytes on every machine.
  writeFileSync(
    join(folder, 'faces.y4m.gz'),
    gzipSync(await photographsAsVideo(photographs), { level: 9, mtime: '1980-01-02' }),
  )
}
