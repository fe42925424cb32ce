import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { align } from '#firmware/audio/correlation.ts';
import { pcmuCodec } from '#firmware/audio/g711.ts';
import { parseWav, WavReader, wavHeader } from '#firmware/audio/wav.ts';
import type { AudioDevice } from '#firmware/contract/media.ts';
import { nodeClock } from '#firmware/platform/node-clock.ts';
import { hurry } from '#firmware/platform/priority.ts';
import { writeRtpHeader } from '#firmware/rtp/packet.ts';
import { PacedLoop } from '#hal/audio/frame-pacer.ts';
import { LabPcm, type LabWire } from '#test/support/labpcm.ts';
import { BenchMedia } from './media-daemon.ts';
import { type BenchRow, type BenchScope, median, skipped } from './row.ts';

const rtpHeader = 12;
const frameSamples = 160;
const frameMs = 20;
/** A file is heard from its first sample on, but a microphone has heard a frame before anybody gets it. */
const heardBefore = frameMs;
const speechSeconds = 6;
/** Longer than any delay here, shorter than from one click to the next. */
const clickEveryMs = 500;
const loud = 4_000;

interface CardSetting {
  readonly card: 'handset' | 'narrow';
  readonly frameMs: 10 | 20;
}
const cardSettings: readonly CardSetting[] = [
  { card: 'handset', frameMs: 10 },
  { card: 'handset', frameMs: 20 },
  { card: 'narrow', frameMs: 10 },
  { card: 'narrow', frameMs: 20 },
];

/** From mouth to ear without the network, with the settings' defaults: files for devices, and PortAudio on cards of the lab. */
export async function latencyRows({ seconds }: BenchScope): Promise<BenchRow[]> {
  // So that what answers is not late itself.
  hurry(-15);
  const trips = Math.max(3, Math.min(15, Math.round(seconds / 4)));
  return [...(await fileRows(trips)), ...(await cardRows(trips))];
}

function row(name: string, values: readonly number[]): BenchRow {
  return { area: 'latency', name: `${name}, median of ${values.length}`, value: median(values), unit: 'ms' };
}

/** A phone whose far end gives back every packet at once hears itself; each trip is a call of its own. */
async function fileRows(trips: number): Promise<BenchRow[]> {
  const media = await BenchMedia.start();
  const speech = noise(8_000 * speechSeconds);
  const [input, output] = [join(media.folder, 'mouth.wav'), join(media.folder, 'ear.wav')];
  writeFileSync(input, Buffer.concat([wavHeader(8_000, speech.length * 2), new Uint8Array(speech.buffer)]));
  const echo = await bound();
  echo.on('message', (packet, { address, port }) => {
    // As a source of its own.
    packet[8] = (packet[8] ?? 0) ^ 0x55;
    echo.send(packet, port, address);
  });
  const delays: number[] = [];
  try {
    for (let trip = 0; trip < trips; trip++) {
      await media.openSession('call');
      await media.useDevice({ driver: 'silence' });
      await media.joinSession('call', echo.address().port, true);
      await media.useDevice({ driver: 'wav', input, loop: false, output });
      await pause(speechSeconds * 1_000 * 0.7);
      await media.useDevice({ driver: 'silence' });
      await media.closeSession('call');
      const { correlation, lag } = align(speech, readSamples(output), 8_000);
      if (correlation > 0.5) delays.push(lag / 8 + heardBefore);
    }
  } finally {
    echo.close();
    await media.stop();
  }
  return [row('mouth to ear, files at 8 kHz', delays)];
}

async function cardRows(trips: number): Promise<BenchRow[]> {
  let lab: LabPcm;
  try {
    lab = await LabPcm.start({
      handset: { capture: 'mouth', playback: 'ear', rate: 48_000 },
      narrow: { capture: 'narrow-mouth', playback: 'narrow-ear' },
    });
  } catch (thrown) {
    return [skipped('latency', 'mouth to ear, PortAudio', String(thrown))];
  }
  try {
    const rows: BenchRow[] = [];
    for (const setting of cardSettings) rows.push(...(await cardRowsWith(lab, setting, trips)));
    return rows;
  } finally {
    lab.end();
  }
}

async function cardRowsWith(lab: LabPcm, { card, frameMs }: CardSetting, trips: number): Promise<BenchRow[]> {
  const media = await BenchMedia.start(lab.environment);
  const [mouth, ear] = card === 'handset' ? [lab.wire('mouth'), lab.wire('ear')] : [lab.wire('narrow-mouth'), lab.wire('narrow-ear')];
  const [outward, inward]: [number[], number[]] = [[], []];
  try {
    const device: AudioDevice = { driver: 'portaudio', input: card, output: card, frameMs };
    await media.useDevice(device);
    for (let trip = 0; trip < trips; trip++) {
      const port = await media.openSession('call');
      const peer = await bound();
      await media.joinSession('call', peer.address().port, true);
      outward.push(...(await microphoneToRtp(mouth, peer)));
      inward.push(...(await rtpToLoudspeaker(ear, peer, port)));
      peer.close();
      await media.closeSession('call');
    }
  } finally {
    await media.stop();
  }
  const name = `PortAudio, ${mouth.rate / 1_000} kHz, pieces of ${frameMs} ms`;
  return [
    row(`microphone to RTP, ${name}`, outward),
    row(`RTP to loudspeaker, ${name}`, inward),
    { area: 'latency', name: `mouth to ear, ${name}, the sum of both`, value: median(outward) + median(inward), unit: 'ms' },
  ];
}

/** From what begins a packet at the connector of the microphone until that packet is here, found by a click in it; nothing when it was not found. */
async function microphoneToRtp(mouth: LabWire, peer: Socket): Promise<number[]> {
  await pause(200 + Math.random() * frameMs);
  const decoder = pcmuCodec.createDecoder();
  const samples = new Int16Array(frameSamples);
  const at = mouth.now() + Math.round(mouth.rate * 0.1);
  mouth.put(new Int16Array(mouth.rate / 100).fill(20_000), at);
  return await new Promise((resolve) => {
    const limit = setTimeout(() => finish([]), clickEveryMs);
    const finish = (delays: number[]) => {
      clearTimeout(limit);
      peer.removeListener('message', hear);
      resolve(delays);
    };
    const hear = (packet: Buffer) => {
      const arrived = mouth.now();
      const count = decoder.decode(packet, rtpHeader, packet.length, samples, 0);
      const offset = samples.subarray(0, count).findIndex((sample) => Math.abs(sample) > loud);
      if (offset >= 0) finish([((arrived - at) / mouth.rate) * 1_000 + offset / 8]);
    };
    peer.on('message', hear);
  });
}

/** Sends a second of packets, on a beat of our own, with a click in some; from the sending of each to its click at the connector. */
async function rtpToLoudspeaker(ear: LabWire, peer: Socket, port: number): Promise<number[]> {
  const encoder = pcmuCodec.createEncoder();
  const packet = new Uint8Array(rtpHeader + frameSamples);
  const [silence, click] = [new Int16Array(frameSamples), new Int16Array(frameSamples).fill(20_000, 0, 80)];
  const first = Math.floor(Math.random() * 60_000);
  const clicksAt: number[] = [];
  let sent = 0;
  const begin = ear.now();
  ear.take(begin - ear.rate, ear.rate);
  await pause(Math.random() * frameMs);
  await new Promise<void>((resolve) => {
    const loop = new PacedLoop(nodeClock, 'exact', () => {
      const clicks = sent > 0 && (sent * frameMs) % clickEveryMs === 0;
      writeRtpHeader(packet, sent === 0, 0, (first + sent) & 0xffff, sent * frameSamples, 4711 + port);
      encoder.encode(clicks ? click : silence, packet, rtpHeader);
      if (clicks) clicksAt.push(ear.now());
      peer.send(packet.slice(), port, '127.0.0.1');
      if (++sent * frameMs <= 2_000) return;
      loop.stop();
      resolve();
    });
    loop.start();
  });
  await pause(clickEveryMs);
  return clicksAt.flatMap((at) => {
    const heard = ear.take(at, (ear.rate * clickEveryMs) / 1_000);
    const found = heard.findIndex((sample) => Math.abs(sample) > loud);
    return found < 0 ? [] : [(found / ear.rate) * 1_000];
  });
}

async function bound(): Promise<Socket> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return socket;
}

function noise(samples: number): Int16Array {
  let state = 1;
  return Int16Array.from({ length: samples }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return ((state >> 8) % 16_000) - 8_000;
  });
}

function readSamples(path: string): Int16Array {
  const bytes = readFileSync(path);
  const parsed = parseWav(bytes);
  if (parsed.outcome === 'unreadable') throw new Error(`${path}: ${parsed.reason}`);
  const samples = new Int16Array(bytes.length / 2);
  return samples.slice(0, new WavReader(bytes, parsed.layout).read(samples));
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
