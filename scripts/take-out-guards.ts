/**
 * `npm run test:guards`: takes each guard of the list out of a copy of the sources, one at a time, and runs the tests
 * that watch over it. A guard whose tests still pass is not guarded; a guard whose text has changed is to be listed anew.
 */

import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

interface Guard {
  readonly what: string
  readonly file: string
  /** Occurs once in the file. */
  readonly code: string
  /** What stands there without it. */
  readonly without: string
  readonly tests: string
}

/** In an order of no meaning; an argument picks those whose description holds it. */
const ALL: readonly Guard[] = [
  {
    what: 'paths of external data that leave the folder are refused',
    file: 'src/onnx/external.ts',
    code: 'if (strange) throw outside()',
    without: '',
    tests: 'src/onnx/files.test.ts',
  },
  {
    what: 'links that leave the folder are refused',
    file: 'src/onnx/external.ts',
    code: 'if (!homes.some((home) => isInside(home, path))) throw outside()',
    without: '',
    tests: 'src/onnx/files.test.ts',
  },
  {
    what: 'unknown fields survive',
    file: 'src/onnx/notes.ts',
    code: '...(unknown.length > 0 && { unknown }),',
    without: '',
    tests: 'src/onnx/everything.test.ts src/onnx/round-trip.property.test.ts',
  },
  {
    what: 'files are whole or not there',
    file: 'src/util/files.ts',
    code: '    await discard()\n    throw error',
    without: '    throw error',
    tests: 'src/util/files.test.ts',
  },
  {
    what: 'the fallback to WebAssembly warns',
    file: 'src/engine/node/open.ts',
    code: 'onWarning(\n',
    without: 'String(\n',
    tests: 'src/engine/node/process.test.ts',
  },
  {
    what: 'a device that computes otherwise than the CPU is not trusted',
    file: 'src/engine/parity.ts',
    code: 'if (bad.length > 0)',
    without: 'if (bad.length > 99)',
    tests: 'src/engine/parity.test.ts',
  },
  {
    what: 'a cancelled call rejects at once',
    file: 'src/engine/link.ts',
    code: '        reject(aborted(signal?.reason))\n',
    without: '',
    tests: 'src/engine/link.test.ts',
  },
  {
    what: 'a call that begins cancelled is not made',
    file: 'src/engine/link.ts',
    code: 'if (signal?.aborted) return reject(aborted(signal.reason))',
    without: '',
    tests: 'src/engine/link.test.ts',
  },
  {
    what: 'folding never makes a file larger',
    file: 'src/passes/fold-plan.ts',
    code: '=> growth > 0 && (isCompressed || growth >= SMALL)',
    without: '=> growth > 1e12 && isCompressed',
    tests: 'src/passes/fold-constants.test.ts',
  },
  {
    what: 'what differs at each run is not folded',
    file: 'src/passes/pure.ts',
    code: '  !isRandom(node) &&\n',
    without: '',
    tests: 'src/passes/fold-constants.test.ts',
  },
  {
    what: 'loops without an end in sight are not folded',
    file: 'src/passes/pure.ts',
    code: 'stepsOf(node, factOf) <= MOST_STEPS',
    without: 'stepsOf(node, factOf) >= 0',
    tests: 'src/passes/fold-constants.test.ts',
  },
  {
    what: 'outputs that go together are not taken apart',
    file: 'src/passes/sweep.ts',
    code: 'if (!def?.separable) return node.outputs',
    without: 'if (!def) return node.outputs',
    tests: 'src/passes/remove-dead.test.ts',
  },
  {
    what: 'the bias of an integer layer does not overflow',
    file: 'src/compress/quantize/weights.ts',
    code: 'floors[c] = Math.max(floors[c]!, Math.abs(b) / inputScale / BIAS_LIMIT)',
    without: '',
    tests: 'src/compress/quantize/static.test.ts',
  },
  {
    what: 'tied weights stay tied',
    file: 'src/compress/quantize/needed.ts',
    code: 'fixed.has(constant) || (readers.get(constant) ?? []).some((reader) => !takes(reader))',
    without: 'false',
    tests: 'src/compress/quantize/static.test.ts src/compress/quantize/left-alone.test.ts',
  },
  {
    what: 'sums of pairs that would saturate reduce the range',
    file: 'src/compress/quantize/saturation.ts',
    code: 'if (!tighten(limits, reaches)) return q',
    without: 'return q',
    tests: 'src/compress/quantize/saturation.test.ts src/compress/quantize/static.test.ts',
  },
  {
    what: 'values that are not finite get no grid',
    file: 'src/compress/quantize/watch.ts',
    code: ' && h.nonFinite === 0',
    without: '',
    tests: 'src/compress/quantize/static.test.ts src/compress/quantize/left-alone.test.ts',
  },
  {
    what: 'a model that is slower beyond doubt is not handed back',
    file: 'src/search/evaluate.ts',
    code: ' && !isSlower(latency)',
    without: '',
    tests: 'src/search/evaluate.test.ts',
  },
  {
    what: 'a model that is larger is not handed back',
    file: 'src/search/evaluate.ts',
    code: ' && bytes.byteLength <= bench.original.byteLength',
    without: '',
    tests: 'src/search/evaluate.test.ts',
  },
  {
    what: 'the budget of quality holds',
    file: 'src/search/evaluate.ts',
    code: 'quality === undefined || quality.drop <= bench.maxDrop',
    without: 'true',
    tests: 'src/search/explore.test.ts src/search/compress.test.ts',
  },
  {
    what: 'quality is never claimed from random inputs',
    file: 'src/cli/commands/compress.ts',
    code: '    if (!samples) requireNoSamples(options)\n',
    without: '',
    tests: 'src/cli/commands/compress.test.ts',
  },
  {
    what: 'without samples only mild recipes are tried',
    file: 'src/compress/recipes.ts',
    code: 'if (judged && applies(',
    without: 'if (applies(',
    tests: 'src/compress/recipes.test.ts src/search/compress.test.ts',
  },
  {
    what: 'the journal of an interrupted search is not thrown away',
    file: 'src/search/compress.ts',
    code: 'if (options.resume !== true && options.restart !== true) await refuseUnfinished(path)',
    without: '',
    tests: 'src/search/resume.test.ts',
  },
  {
    what: 'what may well be slower, by a rough measurement, is not handed back',
    file: 'src/search/explore.ts',
    code: ' && !maybeSlower(latency)',
    without: '',
    tests: 'src/search/run-off.test.ts',
  },
  {
    what: 'every output counts, not the scores alone',
    file: 'src/search/quality.ts',
    code: "    if (measure.kind !== 'top-1 agreement' || name === measure.output) return Number.NEGATIVE_INFINITY\n",
    without: '    return Number.NEGATIVE_INFINITY\n',
    tests: 'src/search/quality.test.ts',
  },
  {
    what: 'an output that stops being a number breaks the budget',
    file: 'src/search/quality.ts',
    code: 'if (d.lost > 0) return BROKEN',
    without: '',
    tests: 'src/search/quality.test.ts',
  },
  {
    what: 'candidates are judged on states of their own',
    file: 'src/search/quality.ts',
    code: 'limit < reference.count ? [] : reference.carry',
    without: '[]',
    tests: 'src/search/quality.test.ts',
  },
  {
    what: 'ranges are those of carried states',
    file: 'src/search/setup.ts',
    code: '...withStates(read, original)',
    without: '...read',
    tests: 'src/search/setup.test.ts',
  },
  {
    what: 'ranges are those of carried states, without a search too',
    file: 'src/compress/quantize/index.ts',
    code: 'original === null ? samples : withStates(samples, original)',
    without: 'samples',
    tests: 'src/search/setup.test.ts',
  },
  {
    what: 'samples are drawn from the whole source',
    file: 'src/data/split.ts',
    code: 'if (uniform() * (count - i) >= need) continue',
    without: 'if (need === 0) continue',
    tests: 'src/data/split.test.ts src/search/setup.test.ts',
  },
  {
    what: 'falling back leaves room under the budget',
    file: 'src/search/fallback.ts',
    code: 'maxDrop * (1 - Math.min(0.5, 1 / Math.sqrt(samples)))',
    without: 'maxDrop',
    tests: 'src/search/fallback.test.ts',
  },
  {
    what: 'a journal of another machine is refused',
    file: 'src/search/identity.ts',
    code: '    machine: [cpu, features],\n',
    without: '',
    tests: 'src/search/resume.test.ts',
  },
  {
    what: 'a journal of another search is refused',
    file: 'src/search/identity.ts',
    code: '    maxDrop,\n',
    without: '',
    tests: 'src/search/compress.test.ts',
  },
  {
    what: 'the output does not replace the model',
    file: 'src/cli/models.ts',
    code: 'if (output !== undefined && !force && replacesItself) {',
    without: 'if (false) {',
    tests: 'src/cli/models.test.ts',
  },
  {
    what: 'the output replaces no file of weights, forced or not',
    file: 'src/cli/models.ts',
    code: 'if (output !== undefined && overlap(written, apart) && !replacesItself) {',
    without: 'if (false) {',
    tests: 'src/cli/models.test.ts',
  },
]

const GUARDS = ALL.filter(({ what }) => what.includes(process.argv[2] ?? ''))
const ROOT = fileURLToPath(new URL('..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'pare-guards-'))
let failures = 0
try {
  for (const name of [
    'src',
    'test',
    'scripts',
    'bench',
    'demo',
    'docs',
    'dist',
    'package.json',
    'tsconfig.json',
    'tsconfig.build.json',
    'vitest.config.ts',
    'README.md',
  ]) {
    cpSync(join(ROOT, name), join(folder, name), { recursive: true })
  }
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  for (const guard of GUARDS) {
    const verdict = takenOut(guard)
    if (!verdict.startsWith('guarded')) failures++
    console.log(`${verdict}: ${guard.what}`)
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
console.log(`${GUARDS.length - failures} of ${GUARDS.length} guards have a test that fails without them`)
process.exitCode = failures === 0 ? 0 : 1

function takenOut({ file, code, without, tests }: Guard): string {
  const path = join(folder, file)
  const source = readFileSync(path, 'utf8')
  if (source.split(code).length !== 2) return `NOT FOUND ONCE in ${file}`
  writeFileSync(
    path,
    source.replace(code, () => without),
  )
  try {
    // Some tests run the built program or its worker.
    run(['tsc', '-p', 'tsconfig.build.json', '--noCheck'])
    // Without its guard a call may hang: that is a failure too.
    const { status, stdout } = run(['vitest', 'run', '--bail=1', '--testTimeout=20000', ...tests.split(' ')])
    if (status === 0) return 'NOT GUARDED'
    const failed = /^ *(?:×|FAIL) +(.*)$/m.exec(stdout)?.[1]
    return failed === undefined ? `TESTS DO NOT RUN: ${stdout.slice(-300)}` : 'guarded'
  } finally {
    writeFileSync(path, source)
  }
}

function run(args: readonly string[]) {
  const env = { ...process.env, NO_COLOR: '1', PARE_DATA: process.env.PARE_DATA ?? join(ROOT, '../shared/data') }
  return spawnSync('npx', args, { cwd: folder, encoding: 'utf8', env, timeout: 300_000 })
}
