import { expect, test } from 'vitest'
import { run } from '../run.js'
import { terminalOf, textWidth } from '../terminal.js'

async function doctor(...args: readonly string[]): Promise<string> {
  let text = ''
  const sink = (chunk: string) => {
    text += chunk
  }
  const world = {
    stdout: { write: sink },
    stderr: { write: sink },
    env: { COLUMNS: '80' },
    signal: new AbortController().signal,
  }
  expect(terminalOf({}, world.env).columns).toBe(80)
  expect(await run(['doctor', ...args], world)).toBe(0)
  return text
}

test('in 80 columns, why a device does not work is said in full, and what helps', async () => {
  const { devices } = JSON.parse(await doctor('--json')).result
  const text = await doctor()
  const words = text.replace(/\s+/g, ' ')
  expect(Math.max(...text.split('\n').map(textWidth))).toBeLessThanOrEqual(80)
  for (const { device, problem, remedy } of devices) {
    if (problem !== null) expect(words).toContain(`${device}: ${problem}${remedy === null ? '' : `. ${remedy}`}`)
  }
  // Every runtime of this machine but WebAssembly may lack something; none is silent about it.
  expect(devices.every((d: { works: boolean; problem: string | null }) => d.works === (d.problem === null))).toBe(true)
})
