/** `pare doctor`: what there is to compute with, and the command that gets what is missing. */

import type { DeviceFacts, DoctorFacts, PackageFacts } from '../../engine/node/doctor.js'
import { bytes } from '../../util/format.js'
import { type Context, defineCommand } from '../command.js'
import { facts, table } from '../table.js'
import { safeLine, styled, type Terminal, wrap } from '../terminal.js'

export const doctor = defineCommand({
  name: 'doctor',
  summary: 'Show engines, devices and what is missing here',
  positionals: { names: [], min: 0, max: 0 },
  options: {},
  examples: ['pare doctor'],
  notes: ['Exits with 4 where no engine works.'],
  async run(_args, _options, context) {
    const { doctorFacts } = await import('../../engine/node/doctor.js')
    const found = await doctorFacts()
    return { text: shown(found, context), json: found, exit: found.devices.some((d) => d.works) ? 0 : 4 }
  },
})

function shown(found: DoctorFacts, { terminal }: Context): string {
  const { cpu, memory } = found
  const cores =
    cpu.physicalCores === null
      ? `${cpu.logicalCores} logical cores`
      : `${cpu.physicalCores} cores, ${cpu.logicalCores} logical`
  const title = (text: string): string => styled(terminal, 'bold', text)
  const missing = [...found.engines, ...found.packages].filter((p) => p.install !== null)
  return [
    title('Machine'),
    facts(
      [
        ['processor', cpu.model],
        ['cores', `${cores}; the engine uses ${cpu.threads}`],
        ['instructions', cpu.features === null ? 'unknown' : cpu.features.join(', ') || 'none that matter'],
        ['memory', `${bytes(memory.total)}, ${bytes(memory.free)} free`],
        ['system', `${found.platform}, Node ${found.node}`],
      ],
      terminal,
    ),
    '',
    title('Packages'),
    table(
      [
        { title: 'package' },
        { title: 'version' },
        { title: 'on disk', align: 'right' },
        { title: 'for', shrinkTo: 12 },
      ],
      [...found.engines, ...found.packages].map(packageRow),
      terminal,
    ),
    '',
    title('Devices'),
    table(
      [{ title: 'device' }, { title: 'works' }],
      found.devices.map((d) => [d.device, d.works ? 'yes' : 'no']),
      terminal,
    ),
    ...found.devices.flatMap((d) => (d.problem === null ? [] : ['', notWorking(d, terminal)])),
    ...(missing.length > 0
      ? ['', title('Missing'), ...missing.map((p) => `${p.name}, for ${p.use}:\n  ${p.install}`)]
      : []),
  ].join('\n')
}

function notWorking({ device, problem, remedy }: DeviceFacts, terminal: Terminal): string {
  const sentence = `${device}: ${problem}${remedy === null ? '' : `. ${remedy}`}`
  return wrap(safeLine(sentence), Math.min(100, terminal.columns), '  ')
}

function packageRow(p: PackageFacts): readonly string[] {
  return [p.name, p.version ?? 'missing', p.size === null ? '' : bytes(p.size), p.use]
}
