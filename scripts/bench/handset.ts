import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LabPcm, labHandset } from '#test/support/labpcm.ts';
import { RealPeer } from '#test/support/real-peer.ts';
import { freePorts } from '../free-ports.ts';
import { registerLine, startPhoneAndExchange } from '../phone-with-exchange.ts';
import { VirtualPhone } from '../virtual-phone.ts';
import { type BenchRow, median } from './row.ts';

const rounds = 9;
/** Loud enough to be heard, of 32 767. */
const audible = 300;
const sound = { 'audio.handset.driver': 'portaudio', 'audio.handset.input': 'handset', 'audio.handset.output': 'handset' };

/** What a person at the handset waits for, through a sound card of ALSA and PortAudio and over real sockets. */
export async function handsetRows(folder: string): Promise<BenchRow[]> {
  const lab = await LabPcm.start(labHandset);
  try {
    return [...(await startRows(join(folder, 'start'), lab)), ...(await digitRows(join(folder, 'digits'), lab))];
  } finally {
    lab.end();
  }
}

const row = (name: string, value: number): BenchRow => ({ area: 'latency', name, value, unit: 'ms' });

/** From the start of the first process on, with everything set up; then hook edges of a phone that has come to rest. */
async function startRows(data: string, lab: LabPcm): Promise<BenchRow[]> {
  const options = { data, environment: lab.environment };
  const ports = { 'exchange.port': String(await freePorts(1)), 'sip.port': String(await freePorts(1)) };
  const first = await startPhoneAndExchange({ ...options, settings: { ...sound, ...ports } });
  await registerLine(first);
  await first.stop();
  const phone = await startPhoneAndExchange({ ...options, settings: { ...sound, ...ports } });
  try {
    const started = startOf(phone.pid);
    await phone.hook('offHook');
    const toneMs = (await toneAt(lab)) - started;
    await phone.until('it is registered', ({ lines }) => lines[0]?.registration.state === 'registered');
    const registered = /"time":"([^"]*)"[^\n]*"state":"registered"/.exec(phone.log)?.[1] ?? '';
    const registeredMs = Date.parse(registered) - (Date.now() - (now() - started));
    await phone.hook('onHook');
    return [
      row('start of the first process → registered', registeredMs),
      row('start of the first process → dial tone, lifted as soon as it can be', toneMs),
      row(`hook edge → dial tone audible, median of ${rounds}`, median(await hookTimes(phone, lab))),
    ];
  } finally {
    await phone.stop();
  }
}

async function hookTimes(phone: VirtualPhone, lab: LabPcm): Promise<number[]> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    await pause(700);
    const edge = now();
    await phone.hook('offHook');
    times.push((await toneAt(lab, edge)) - edge);
    await phone.hook('onHook');
  }
  return times;
}

async function digitRows(data: string, lab: LabPcm): Promise<BenchRow[]> {
  const peer = await RealPeer.start();
  const rtp = await freePorts(20);
  const network = { 'sip.address': '127.0.0.1', 'sip.port': String(await freePorts(1)), 'web.port': String(await freePorts(1)) };
  const settings = { ...sound, ...network, 'rtp.portFrom': String(rtp), 'rtp.portTo': String(rtp + 19) };
  const phone = await VirtualPhone.start({ data, environment: lab.environment, exchange: false, settings });
  try {
    return [
      row(`key edge → RFC 4733 packet on the wire, median of ${rounds}`, median(await keyTimes(phone, peer, 'rfc4733'))),
      row(`key edge → INFO on the wire, median of ${rounds}`, median(await keyTimes(phone, peer, 'info'))),
    ];
  } finally {
    await phone.stop();
    await peer.stop();
  }
}

/** Each way in a call of its own: what a call began with holds for it. */
async function keyTimes(phone: VirtualPhone, peer: RealPeer, way: 'info' | 'rfc4733'): Promise<number[]> {
  await phone.link.command('changeSettings', { set: { 'phone.digitMode': way }, unset: [] });
  await phone.hook('offHook');
  await phone.link.command('call', { target: peer.uri });
  await phone.until('it hears', ({ calls }) => (calls[0]?.media?.packetsReceived ?? 0) > 25);
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    await pause(450);
    const before = peer.digits.length;
    const edge = performance.now();
    await phone.press('5');
    for (const end = edge + 2_000; peer.digits.length === before && performance.now() < end; ) await pause(5);
    times.push((peer.digits[before] ?? Number.NaN) - edge);
  }
  await phone.hook('onHook');
  await phone.until('it is idle', ({ calls }) => calls.length === 0);
  return times;
}

/** When sound came out of the receiver first since `edge`, on the clock of `now`. */
async function toneAt(lab: LabPcm, edge = now()): Promise<number> {
  const ear = lab.wire('ear');
  const rate = ear.rate / 1_000;
  for (let from = Math.floor(edge * rate); now() < edge + 10_000; await pause(5)) {
    const length = ear.now() - from;
    const heard = ear.take(from, length).findIndex((sample) => Math.abs(sample) > audible);
    if (heard >= 0) return (from + heard) / rate;
    from += length;
  }
  return Number.NaN;
}

/** Of the machine, monotonic, ms. */
function now(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** When a process was started, on the clock of `now`. */
function startOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]) * 10;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
