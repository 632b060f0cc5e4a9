/** Commands of the command line, run in this process. */

import { run } from '../src/cli/run.js'

/** What it writes, warnings and errors too, and its exit status. */
export async function pareText(args: readonly string[], columns = '80') {
  let text = ''
  const out = {
    write(chunk: string) {
      text += chunk
    },
  }
  const status = await run(args, {
    stdout: out,
    stderr: out,
    env: { COLUMNS: columns },
    signal: new AbortController().signal,
  })
  return { status, text }
}

/** With `--json`: the whole answer, its result, and the code of its error. Tests read what they expect to be there. */
export async function pare(...args: readonly string[]) {
  const { status, text } = await pareText([...args, '--json'])
  const answer = JSON.parse(text)
  return { status, text, answer, result: answer.result, code: answer.error?.code as string | undefined }
}
