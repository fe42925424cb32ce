import { spawn } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { audioCodecs, type PlainCodecName } from '#firmware/audio/codecs.ts';
import { parseWav, WavReader, wavHeader } from '#firmware/audio/wav.ts';
import type { ArgsOf } from '#firmware/contract/contract.ts';
import { mediaContract } from '#firmware/contract/media.ts';
import { silentLogger } from '#firmware/core/logger.ts';
import { PageListener } from '#firmware/media/page-listener.ts';
import { socketPathOf } from '#firmware/platform/daemon.ts';
import { nodeClock } from '#firmware/platform/node-clock.ts';
import { nodeEntropy } from '#firmware/platform/node-entropy.ts';
import { connectContract } from '#firmware/platform/unix-socket.ts';
import { bundle } from '#test/support/bundle.ts';
import { toneShare } from '#test/support/tone-share.ts';

const program = bundle('services/media/main.ts');
type Tap = { teardown(step: () => unknown): void };
type Configuration = ArgsOf<typeof mediaContract, 'configure'>;
/** In the range of this organisation (RFC 2365), on loopback alone. */
const group = { address: '239.255.77.1', port: 17_700, opusPayloadType: 107 };
const loopback = '127.0.0.1';

async function until(found: () => boolean, what: string): Promise<void> {
  const patience = nodeClock.now() + 15_000;
  while (!found()) {
    if (nodeClock.now() > patience) throw new Error(`no ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const configuration: Omit<Configuration, 'devices'> = {
  rtpPorts: { from: 30_000, to: 31_000 },
  country: 'de',
  jitterBuffer: { minimumMs: 60, startMs: 120, maximumMs: 300 },
  graceSeconds: 20,
  opus: false,
  certificate: null,
  silenceSeconds: 0,
};

/** A running media daemon, and what it tells. */
async function daemon(t: Tap, device: Configuration['devices'][string] = { driver: 'silence' }, opus = false) {
  const directory = mkdtempSync(join(tmpdir(), 'hookswitch-paging-'));
  const process_ = spawn(process.execPath, [program, '--runtime-dir', directory, '--state-dir', directory], { stdio: 'ignore' });
  const told: { name: string; fields: object }[] = [];
  const keep = (name: string) => (fields: object) => told.push({ name, fields });
  const listeners = Object.fromEntries(['pageBegan', 'pageEnded', 'pageRefused', 'playbackEnded'].map((name) => [name, keep(name)]));
  const media = connectContract(socketPathOf(directory, 'media'), mediaContract, listeners, {
    role: 'phone',
    clock: nodeClock,
    entropy: nodeEntropy,
    logger: silentLogger,
  });
  t.teardown(async () => {
    await media.stop();
    process_.kill('SIGTERM');
    await once(process_, 'exit');
    rmSync(directory, { recursive: true, force: true });
  });
  await media.whenUp();
  await media.command('configure', { ...configuration, opus, devices: { ringer: device } });
  const listen = (networks: readonly string[] = ['127.0.0.0/8'], where = loopback) =>
    media.command('configurePaging', { groups: { hall: group }, interface: where, networks: [...networks], silenceMs: 1200 });
  const named = (name: string) => told.filter((one) => one.name === name).map(({ fields }) => fields);
  return { directory, media, told, named, listen };
}

const pitch = 700;
const said = (rate: number, seconds = 2) =>
  Int16Array.from({ length: rate * seconds }, (_, at) => Math.round(7000 * Math.sin((2 * Math.PI * pitch * at) / rate)));

/** Seconds in which something is heard, and how much of it is what was said. However a busy machine delays and mends it, its pitch stays. */
function soundOf(path: string): { seconds: number; share: number } {
  const samples = heardIn(path);
  const loud = samples.filter((sample) => Math.abs(sample) > 500).length / (samples.length || 1);
  return { seconds: (loud * samples.length) / 8000, share: toneShare(samples, 8000, [pitch]) };
}

function heardIn(path: string): Int16Array {
  const bytes = readFileSync(path);
  const parsed = parseWav(bytes);
  if (parsed.outcome === 'unreadable') return new Int16Array(0);
  const samples = new Int16Array(bytes.length / 2);
  return samples.slice(0, new WavReader(bytes, parsed.layout).read(samples));
}

const encoding = {
  sampleRate: 48_000,
  bitrate: 24_000,
  constantBitrate: false,
  complexity: 5,
  errorCorrection: false,
  discontinuous: false,
  playbackRate: 48_000,
} as const;

/** Another telephone: sends what it is given as plain RTP to the group, 20 ms by 20 ms, and says nothing else. */
class DeskPhone {
  readonly #socket: Socket;
  readonly #ssrc: number;

  private constructor(socket: Socket, ssrc: number) {
    this.#socket = socket;
    this.#ssrc = ssrc;
  }

  static async open(t: Tap, ssrc: number): Promise<DeskPhone> {
    const socket = createSocket('udp4').bind(0, loopback);
    await once(socket, 'listening');
    socket.setMulticastInterface(loopback);
    t.teardown(() => new Promise<void>((resolve) => socket.close(() => resolve())));
    return new DeskPhone(socket, ssrc);
  }

  send(packet: Uint8Array): void {
    this.#socket.send(packet, group.port, group.address);
  }

  async say(codecName: PlainCodecName, payloadType: number, samples: Int16Array): Promise<void> {
    const codec = audioCodecs[codecName];
    const encoder = codec.createEncoder();
    const size = codec.sampleRate / 50;
    const begun = nodeClock.now();
    for (let index = 0; index * size < samples.length; index++) {
      const packet = new Uint8Array(12 + 2 * size);
      const view = new DataView(packet.buffer);
      view.setUint16(0, 0x8000 | payloadType);
      view.setUint16(2, 1000 + index);
      view.setUint32(4, (index * codec.clockRate) / 50);
      view.setUint32(8, this.#ssrc);
      const block = new Int16Array(size);
      block.set(samples.subarray(index * size, (index + 1) * size));
      this.send(packet.subarray(0, 12 + encoder.encode(block, packet, 12)));
      const wait = begun + 20 * (index + 1) - nodeClock.now();
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
}

t.test('one phone plays a file to a group in Opus, another hears it on the device it is told to, until it is over', async (t) => {
  const output = join(mkdtempSync(join(tmpdir(), 'hookswitch-heard-')), 'heard.wav');
  t.teardown(() => rmSync(join(output, '..'), { recursive: true, force: true }));
  const [sender, hearer] = [
    await daemon(t, { driver: 'silence' }, true),
    await daemon(t, { driver: 'wav', input: null, loop: false, output }, true),
  ];
  t.strictSame(await hearer.listen(), { groups: { hall: { ok: true } } });
  // Who listens to the group too does not hear himself.
  await sender.listen();
  const file = join(sender.directory, 'gong.wav');
  writeFileSync(file, Buffer.concat([wavHeader(8000, 32_000), new Uint8Array(said(8000).buffer)]));
  const codec = { name: 'opus', send: 107, receive: 107, encoding } as const;
  const { address, port } = group;
  await sender.media.command('openPage', { session: 'paging', group: 'hall', address, port, interface: loopback, ttl: 1, codec });
  await until(() => hearer.named('pageBegan').length === 1, 'beginning');
  t.strictSame(hearer.named('pageBegan'), [{ group: 'hall', source: loopback }]);
  await hearer.media.command('hearPage', { group: 'hall', device: 'ringer' });
  const target = { kind: 'session', session: 'paging' } as const;
  await sender.media.command('startPlayback', { playback: 'paging', target, file, repeat: 1, gapMs: 0 });
  await until(() => sender.named('playbackEnded').length === 1, 'end of the file');
  await sender.media.command('closeSession', { session: 'paging' });
  await until(() => hearer.named('pageEnded').length === 1, 'end');
  t.strictSame([sender.named('pageBegan'), hearer.named('pageRefused')], [[], []]);
  await hearer.media.command('configure', { ...configuration, devices: {} });
  const { seconds, share } = soundOf(output);
  t.ok(seconds > 1 && share > 0.7, `${seconds.toFixed(2)} s, ${share.toFixed(2)} of it what was said`);
});

for (const [codec, payloadType] of [
  ['PCMU', 0],
  ['G722', 9],
] as const) {
  t.test(`a desk phone that sends ${codec} without a word of SIP is heard`, async (t) => {
    const output = join(mkdtempSync(join(tmpdir(), 'hookswitch-heard-')), 'heard.wav');
    t.teardown(() => rmSync(join(output, '..'), { recursive: true, force: true }));
    const hearer = await daemon(t, { driver: 'wav', input: null, loop: false, output });
    await hearer.listen();
    const talk = (await DeskPhone.open(t, 4711)).say(codec, payloadType, said(audioCodecs[codec].sampleRate));
    await until(() => hearer.named('pageBegan').length === 1, 'beginning');
    await hearer.media.command('hearPage', { group: 'hall', device: 'ringer' });
    await talk;
    await until(() => hearer.named('pageEnded').length === 1, 'end');
    await hearer.media.command('configure', { ...configuration, devices: {} });
    const { seconds, share } = soundOf(output);
    t.ok(seconds > 1 && share > 0.7, `${seconds.toFixed(2)} s, ${share.toFixed(2)} of it what was said`);
  });
}

t.test('senders elsewhere are counted and not heard; nor is who comes second, nor what is no RTP', async (t) => {
  const hearer = await daemon(t);
  await hearer.listen(['10.0.0.0/8', '127.0.0.9']);
  const [first, second] = [await DeskPhone.open(t, 1), await DeskPhone.open(t, 2)];
  await first.say('PCMU', 0, said(8000, 0.1));
  await until(() => hearer.named('pageRefused').some((fields) => 'packets' in fields && fields.packets === 5), 'refusal');
  t.strictSame(hearer.named('pageBegan'), []);
  const described = async () => ((await hearer.media.command('describe', {})) as { paging: { counters: object; groups: object } }).paging;
  t.match(await described(), { counters: { 'page-foreign-network': 5 }, groups: { hall: { refused: 5, source: null } } });
  await hearer.listen();
  first.send(Buffer.from('no RTP at all'));
  await Promise.all([
    first.say('PCMU', 0, said(8000, 0.4)),
    new Promise((resolve) => setTimeout(resolve, 100)).then(() => second.say('PCMU', 0, said(8000, 0.1))),
  ]);
  await until(() => hearer.named('pageEnded').length === 1, 'end');
  t.match(await described(), { counters: { 'page-foreign-network': 5, 'page-malformed': 1, 'page-second-sender': 5 } });
  t.match((await hearer.media.command('sessions', {})).sessions, [], 'what is heard of a group is no leg of a call');
  await second.say('PCMU', 0, said(8000, 0.1));
  await until(() => hearer.named('pageBegan').length === 2, 'second turn');
});

t.test('groups follow what is told: left, joined, with the reason where they cannot be', async (t) => {
  const hearer = await daemon(t);
  t.match(await hearer.listen([], 'eth99'), { groups: { hall: { ok: false, reason: /no interface eth99/ } } });
  await hearer.listen();
  const phone = await DeskPhone.open(t, 3);
  const talk = phone.say('PCMU', 0, said(8000));
  await until(() => hearer.named('pageBegan').length === 1, 'beginning');
  await hearer.listen();
  t.equal(hearer.named('pageBegan').length, 2, 'a phone that asks again is told what is under way');
  const none = await hearer.media.command('configurePaging', { groups: {}, interface: loopback, networks: [], silenceMs: 1200 });
  t.strictSame([none, hearer.named('pageEnded').length], [{ groups: {} }, 1]);
  await hearer.media.command('hearPage', { group: 'hall', device: 'ringer' });
  const codec = { name: 'PCMU', send: 0, receive: 0 } as const;
  const opening = { session: 'p', group: 'hall', address: group.address, port: group.port, interface: 'eth99', ttl: 1, codec };
  await t.rejects(hearer.media.command('openPage', opening), {
    message: /nothing can be sent to 239\.255\.77\.1: there is no interface eth99/,
  });
  const opus = { ...opening, interface: loopback, codec: { name: 'opus', send: 107, receive: 107, encoding } } as const;
  await t.rejects(hearer.media.command('openPage', opus), { code: 'no-opus' });
  await hearer.media.command('openPage', { ...opening, interface: loopback });
  await t.rejects(hearer.media.command('openPage', { ...opening, interface: loopback }), { code: 'session-exists' });
  t.match((await hearer.media.command('sessions', {})).sessions, [{ session: 'p' }], 'a phone that comes back finds it, and closes it');
  await talk;
});

t.test('who speaks to a group, packet by packet', async (t) => {
  const listener = new PageListener();
  const packet = (ssrc: number) => {
    const bytes = new Uint8Array(172);
    bytes[0] = 0x80;
    new DataView(bytes.buffer).setUint32(8, ssrc);
    return bytes;
  };
  t.equal(listener.receive(0, new Uint8Array(4), '10.0.0.1', 5), 'malformed');
  t.equal(listener.fellSilent(9999, 100), false, 'nobody has spoken');
  t.equal(listener.receive(0, packet(1), '10.0.0.1', 5), 'begun');
  t.equal(listener.receive(20, packet(1), '10.0.0.1', 5), 'heard');
  t.equal(listener.receive(30, packet(9), '10.0.0.2', 5), 'second');
  t.equal(listener.receive(40, packet(2), '10.0.0.1', 5), 'heard', 'who begins anew with another SSRC');
  t.equal(listener.fellSilent(139, 100), false);
  t.equal(listener.fellSilent(140, 100), true);
  t.equal(listener.fellSilent(141, 100), false, 'said once');
  t.equal(listener.receive(200, packet(9), '10.0.0.2', 5), 'begun');
  for (let ssrc = 100; ssrc < 110; ssrc++) listener.isOurs(ssrc);
  t.equal(listener.receive(210, packet(109), '10.0.0.2', 5), 'own');
  t.equal(listener.receive(210, packet(100), '10.0.0.2', 5), 'heard', 'of long ago, and forgotten');
});
