import { hasWalResetBug } from '#firmware/platform/wal-reset.ts';
import { type Finding, hint, trouble } from './finding.ts';
import type { MachineState } from './machine-state.ts';

const megabyte = 1_000_000;
/** Below this the kernel begins to end processes: the page first, the phone last. */
const troubleBytes = 40 * megabyte;
const hintBytes = 80 * megabyte;
/** A Raspberry Pi slows down from here on, °C. */
const hotAt = 80;

/** Bits of `get_throttled`: what is so now, and what was so since the start. Those between say only that it was slowed, whether by heat or by weak power. */
const bits = { undervoltage: 0x1, hot: 0x8, undervoltageSeen: 0x1_0000, hotSeen: 0x8_0000 } as const;

const supply = 'take a power supply made for this Raspberry Pi and a short cable; a handset or card on USB may want a hub with its own';
const cooling = 'give it air or a heat sink, and take it out of the sun';

export function machineFindings(machine: MachineState): Finding[] {
  return [...memoryFindings(machine), ...powerFindings(machine), ...heatFindings(machine), ...sqliteFindings(machine)];
}

export function clockFindings(wallTime: number, { clockSynchronised }: MachineState): Finding[] {
  if (wallTime < earliestTime || wallTime > latestTime) {
    const date = new Date(wallTime).toISOString().slice(0, 10);
    const mend = 'timedatectl set-ntp true, and a network';
    return [trouble('clock-not-set', `the clock says ${date}: call log and certificates are wrong`, mend)];
  }
  if (clockSynchronised !== false) return [];
  const mend = 'timedatectl set-ntp true, and a network that lets NTP through (UDP port 123)';
  return [hint('clock-not-synchronised', 'the network has not set the clock: it may be wrong since the power was off', mend)];
}

export function keepingFindings(path: string, { stateForgotten }: MachineState): Finding[] {
  if (!stateForgotten) return [];
  const mend =
    'give it a partition of its own, as the cards of scripts/image have, or make the root writable (sudo hookswitch-root writable)';
  return [trouble('state-forgotten', `${path} is in memory: settings and logs are gone at the next boot`, mend)];
}

/** No hookswitch is older, and none will be in use so late: another date is that of a clock that nobody has set. */
const earliestTime = Date.UTC(2026, 0, 1);
const latestTime = Date.UTC(2056, 0, 1);

function memoryFindings({ memory: { availableBytes, totalBytes } }: MachineState): Finding[] {
  if (availableBytes >= hintBytes) return [];
  const what = `${Math.floor(availableBytes / megabyte)} of ${Math.floor(totalBytes / megabyte)} MB memory are left`;
  const mend = 'top -o %MEM shows what takes it; without the page it works too: sudo systemctl disable --now hookswitch-web';
  return [availableBytes < troubleBytes ? trouble('memory-short', what, mend) : hint('memory-low', what, mend)];
}

function powerFindings({ throttled }: MachineState): Finding[] {
  if (throttled & bits.undervoltage) {
    return [trouble('undervoltage', 'the power supply is too weak: sound breaks up, and the card may be damaged', supply)];
  }
  return throttled & bits.undervoltageSeen
    ? [hint('undervoltage-seen', 'the power supply was too weak for moments since the start', supply)]
    : [];
}

function heatFindings({ throttled, temperature }: MachineState): Finding[] {
  const degrees = temperature === undefined ? '' : ` (${Math.round(temperature)} °C)`;
  if (throttled & bits.hot || (temperature ?? 0) >= hotAt) {
    return [trouble('too-hot', `the processor is too hot and slowed down${degrees}`, cooling)];
  }
  return throttled & bits.hotSeen ? [hint('was-too-hot', `the processor was too hot at times since the start${degrees}`, cooling)] : [];
}

function sqliteFindings({ sqlite }: MachineState): Finding[] {
  if (!hasWalResetBug(sqlite)) return [];
  const what = `SQLite ${sqlite} may lose what two processes write at once (its WAL-reset bug); our databases are open to one process only`;
  return [hint('sqlite-wal-reset', what, '3.51.3 or later does not have it: install the package of hookswitch, which brings its own')];
}
