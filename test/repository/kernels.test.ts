import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { compiledKernel, inputHash, KERNELS, kernelFile } from '../../scripts/kernels.js'

test.each(KERNELS)(
  'the compiled bytes of %s are those of its source in assembly/ (npm run build renews them)',
  async (name) => {
    const committed = readFileSync(kernelFile(name), 'utf8')
    expect(committed).toContain(inputHash(name))
    expect(committed).toBe(await compiledKernel(name))
    // Browsers compile in place up to 4 kB.
    const [bytes] = /'([^']*)'/
      .exec(committed)!
      .slice(1)
      .map((text) => Buffer.from(text, 'base64'))
    expect(WebAssembly.validate(bytes!)).toBe(true)
    expect(bytes!.length).toBeLessThan(4096)
  },
)
