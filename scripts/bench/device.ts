import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { registerLine, startPhoneAndExchange } from '../phone-with-exchange.ts';
import type { VirtualPhone } from '../virtual-phone.ts';
import { handsetRows } from './handset.ts';
import { idleRows } from './idle.ts';

import { memoryRows } from './memory.ts';
import { type BenchRow, type BenchScope, median } from './row.ts';

const calls = 15;

/** The built phone with its exchange: what a person waits for, the memory of each process, and what it costs while nobody uses it. */
export async function deviceRows({ seconds }: BenchScope): Promise<BenchRow[]> {
  const folder = mkdtempSync(join(tmpdir(), 'hookswitch-bench-'));
  try {
    return [...(await phoneRows(join(folder, 'phone'), seconds)), ...(await handsetRows(folder))];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function phoneRows(data: string, seconds: number): Promise<BenchRow[]> {
  const begun = performance.now();
  const phone = await startPhoneAndExchange({ data, settings: { 'log.level': 'warn' } });
  try {
    const startMs = performance.now() - begun;
    await registerLine(phone);
    const registerMs = phone.status?.lines[0]?.registration.elapsedMs ?? Number.NaN;
    const acceptedMs = await acceptedTimes(phone);
    return [
      { area: 'device', name: 'start of all processes until they answer', value: startMs, unit: 'ms' },
      { area: 'device', name: 'REGISTER → 200, with digest', value: registerMs, unit: 'ms' },
      { area: 'device', name: `INVITE → 200, median of ${calls} calls through the proxy`, value: median(acceptedMs), unit: 'ms' },
      { area: 'device', name: `INVITE → 200, worst of ${calls}`, value: Math.max(...acceptedMs), unit: 'ms' },
      ...(await idleRows(phone, seconds)),
      ...memoryRows(phone, 'idle'),
      ...(await inCall(phone, () => memoryRows(phone, 'in a call'))),
    ];
  } finally {
    await phone.stop();
  }
}

async function acceptedTimes(phone: VirtualPhone): Promise<number[]> {
  const times: number[] = [];
  for (let call = 0; call < calls; call++) {
    await inCall(phone, () => times.push(phone.status?.calls[0]?.acceptedInMs ?? Number.NaN));
  }
  return times;
}

/** Lifts, calls the echo test, measures while packets flow, hangs up. */
async function inCall<T>(phone: VirtualPhone, measure: () => T): Promise<T> {
  await phone.hook('offHook');
  await phone.press('600');
  await phone.until('packets flow', ({ calls: [call] }) => (call?.media?.packetsReceived ?? 0) > 20);
  const figure = measure();
  await phone.hook('onHook');
  await phone.until('it is idle', (status) => status.calls.length === 0 && status.hook === 'onHook');
  return figure;
}
