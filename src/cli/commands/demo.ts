/** `pare demo`: the compress command on the bundled face detector and photographs. */

import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PareError } from '../../util/errors.js'
import { parseCommandLine } from '../args.js'
import { defineCommand } from '../command.js'
import { THREADS_OPTION } from '../inputs.js'
import { shellLine } from '../shell.js'

const BUNDLED = fileURLToPath(new URL('../../../demo/', import.meta.url))
const MODEL = 'ultraface-slim-320.onnx'
const OUTPUT = 'small.onnx'
const REPORT = 'report.html'
const RUN = 'run'

export const demo = defineCommand({
  name: 'demo',
  summary: 'Compress a bundled face detector, in under a minute',
  positionals: { names: [], min: 0, max: 0 },
  options: {
    output: { kind: 'text', short: 'o', value: 'folder', doc: 'where model and report go (default pare-demo)' },
    threads: {
      ...THREADS_OPTION.threads,
      default: 1,
      doc: 'threads inside one operator: one gives steady times on a busy machine',
    },
  },
  examples: ['pare demo'],
  notes: [
    'Model and photographs come with pare; demo/README.md names their source and licence. Each of the 24 photographs counts four times: whole, mirrored, and in two crops. Some views calibrate and others judge, so the judgement is kinder than new photographs would be. The budget of 0.15 is for the relative error of the boxes of all 4420 places, most of which hold no face; how often the same places are called a face is in the table.',
  ],
  async run(_args, options, context) {
    const folder = options.output ?? 'pare-demo'
    await refuseForeign(folder)
    const [{ compress }, { makeFolder }] = await Promise.all([import('./compress.js'), import('../../util/files.js')])
    await makeFolder(folder)
    const common = ['--max-drop', '0.15', '--for', 'latency', '--threads', String(options.threads)]
    const paths = ['-o', join(folder, OUTPUT), '--report', join(folder, REPORT)]
    const argv = [bundled(MODEL), '--data', bundled('samples.mjs'), ...common, ...paths]
    const line = shellLine(['compress', ...argv])
    const parsed = parseCommandLine(compress, [...argv, '--run-folder', join(folder, RUN), '--restart'])
    const answer = await compress.run(parsed.positionals, parsed.options as never, {
      ...context,
      commandLine: line,
    })
    return {
      ...answer,
      text: [
        answer.text,
        '',
        'The same again:',
        `  ${line}`,
        'With a model and inputs of your own:',
        '  pare compress model.onnx --data samples.npz -o small.onnx --report report.html',
      ].join('\n'),
    }
  },
})

/** As it would be typed here. */
function bundled(name: string): string {
  const path = join(BUNDLED, name)
  const near = relative('.', path)
  return near.startsWith('../..') || near.length > path.length ? path : near
}

/** Throws `OUTPUT_EXISTS` where the folder holds files under our names and not the journal of an earlier demo. */
async function refuseForeign(folder: string): Promise<void> {
  const { access } = await import('node:fs/promises')
  const isThere = (name: string): Promise<boolean> =>
    access(join(folder, name)).then(
      () => true,
      () => false,
    )
  if (await isThere(join(RUN, 'journal.jsonl'))) return
  for (const name of [OUTPUT, REPORT, RUN]) {
    if (!(await isThere(name))) continue
    throw new PareError('OUTPUT_EXISTS', 'there is a file of this name that no demo has written', {
      where: join(folder, name),
      remedy: 'Name another folder with -o.',
    })
  }
}
