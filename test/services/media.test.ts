import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { align } from '#firmware/audio/correlation.ts';
import { parseWav, WavReader, wavHeader } from '#firmware/audio/wav.ts';
import type { ArgsOf } from '#firmware/contract/contract.ts';
import { mediaContract, type SessionStatistics } from '#firmware/contract/media.ts';
import { pageSound } from '#firmware/contract/page-sound.ts';
import { silentLogger } from '#firmware/core/logger.ts';
import { socketPathOf } from '#firmware/platform/daemon.ts';
import { nodeClock } from '#firmware/platform/node-clock.ts';
import { nodeEntropy } from '#firmware/platform/node-entropy.ts';
import { type ContractLink, connectContract } from '#firmware/platform/unix-socket.ts';
import { bundle } from '#test/support/bundle.ts';
import { seededRandom } from '#test/support/seeded-entropy.ts';

const program = bundle('services/media/main.ts');
const address = '127.0.0.1';

interface Event {
  readonly name: string;
  readonly event: object;
}

/** A running media daemon and somebody who commands it. */
class Daemon {
  readonly directory = mkdtempSync(join(tmpdir(), 'hookswitch-media-'));
  readonly events: Event[] = [];
  statistics: readonly SessionStatistics[] = [];
  #process = spawn(process.execPath, [program, '--runtime-dir', this.directory, '--state-dir', this.directory], { stdio: 'ignore' });
  #links: ContractLink<typeof mediaContract>[] = [];

  async link(): Promise<ContractLink<typeof mediaContract>> {
    const keep = (name: string) => (event: object) => this.events.push({ name, event });
    const link = connectContract(
      socketPathOf(this.directory, 'media'),
      mediaContract,
      {
        digit: keep('digit'),
        playbackEnded: keep('playbackEnded'),
        rtpSilence: keep('rtpSilence'),
        deviceChanged: keep('deviceChanged'),
        statistics: ({ sessions }) => {
          this.statistics = sessions;
        },
      },
      { role: 'phone', clock: nodeClock, entropy: nodeEntropy, logger: silentLogger },
    );
    this.#links.push(link);
    await link.whenUp();
    return link;
  }

  /** Resolves once `found` is true of what was told. */
  async until(found: () => boolean, what: string): Promise<void> {
    const patience = nodeClock.now() + 15_000;
    while (!found()) {
      if (nodeClock.now() > patience) throw new Error(`no ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** The exit code of an ordered stop. */
  async stop(): Promise<number | null> {
    for (const link of this.#links) await link.stop();
    if (this.#process.exitCode === null) {
      this.#process.kill('SIGTERM');
      await once(this.#process, 'exit');
    }
    return this.#process.exitCode;
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

function daemon(t: Tap): Daemon {
  const daemon = new Daemon();
  t.teardown(async () => {
    await daemon.stop();
    daemon.remove();
  });
  return daemon;
}

type Tap = { teardown(step: () => Promise<void>): void };

const configuration: ArgsOf<typeof mediaContract, 'configure'> = {
  devices: { handset: { driver: 'silence' } },
  rtpPorts: { from: 21_000, to: 25_000 },
  country: 'de',
  // Sound is compared sample by sample: no time is to be bent to adapt the delay.
  jitterBuffer: { minimumMs: 120, startMs: 120, maximumMs: 300 },
  graceSeconds: 20,
  opus: false,
  certificate: null,
  silenceSeconds: 0,
};

function towards(ports: { rtpPort: number; rtcpPort: number }): ArgsOf<typeof mediaContract, 'updateSession'>['parameters'] {
  return {
    remote: { address, ...ports },
    codecs: [{ name: 'PCMA', send: 8, receive: 8 }],
    ptime: 20,
    telephoneEvents: [{ send: 101, receive: 101, clockRate: 8000 }],
    detectDigits: false,
    comfortNoise: false,
    direction: 'sendrecv',
    symmetric: false,
    rtcpMux: false,
    ice: null,
    security: null,
  };
}

function writeWav(path: string, samples: Int16Array): void {
  writeFileSync(path, Buffer.concat([wavHeader(8000, samples.length * 2), new Uint8Array(samples.buffer as ArrayBuffer)]));
}

function readWav(path: string): Int16Array {
  const bytes = readFileSync(path);
  const parsed = parseWav(bytes);
  if (parsed.outcome === 'unreadable') throw new Error(parsed.reason);
  const samples = new Int16Array(bytes.length / 2);
  return samples.slice(0, new WavReader(bytes, parsed.layout).read(samples));
}

t.test('two daemons in a call over real sockets: speech from file to file, digits, statistics, an ordered stop', async (t) => {
  const [a, b] = [daemon(t), daemon(t)];
  const random = seededRandom(8);
  let value = 0;
  const speech = Int16Array.from({ length: 8000 * 4 }, (_, index) => {
    value = value * 0.8 + (random() - 0.5) * 8000;
    return Math.round(value * Math.max(0, Math.sin(index / 2400)));
  });
  writeWav(join(a.directory, 'speech.wav'), speech);
  const [phoneA, phoneB] = [await a.link(), await b.link()];
  const microphone = { driver: 'wav', input: join(a.directory, 'speech.wav'), loop: false, output: null } as const;
  const recorder = { driver: 'wav', input: null, loop: false, output: join(b.directory, 'heard.wav') } as const;
  const quiet = await phoneA.command('configure', configuration);
  t.strictSame(quiet, { devices: { handset: { ok: true } }, opus: { ok: false }, marked: { ok: true } });
  await phoneB.command('configure', { ...configuration, devices: { handset: recorder } });
  const portsA = await phoneA.command('openSession', { session: 'x', address });
  const portsB = await phoneB.command('openSession', { session: 'y', address });
  for (const [phone, session, ports] of [
    [phoneA, 'x', portsB],
    [phoneB, 'y', portsA],
  ] as const) {
    await phone.command('updateSession', { session, parameters: towards(ports) });
    await phone.command('connectSession', { session, device: 'handset' });
  }
  await phoneA.command('configure', { ...configuration, devices: { handset: microphone } });
  await b.until(() => (b.statistics[0]?.packetsReceived ?? 0) > 200, 'four seconds of packets');
  for (const digit of ['1', '*', '9'] as const) await phoneA.command('sendDigit', { session: 'x', digit, durationMs: 80, way: 'event' });
  await b.until(() => b.events.length === 3, 'digits');
  t.strictSame(
    b.events.map(({ event }) => event),
    ['1', '*', '9'].map((digit) => ({ session: 'y', digit, durationMs: 80, way: 'event' })),
  );
  const { statistics } = await phoneB.command('closeSession', { session: 'y' });
  t.match(statistics, { session: 'y', packetsRefused: 0, packetsDuplicate: 0, digitsReceived: 3 });
  t.strictSame(await phoneB.command('closeSession', { session: 'y' }), { statistics: null, quality: null });
  t.equal(await b.stop(), 0);
  t.equal(await a.stop(), 0);
  const { correlation } = align(speech, readWav(join(b.directory, 'heard.wav')));
  // A machine under load loses a frame now and then; how well speech gets through is for the bench and the tests in virtual time.
  t.ok(correlation > 0.6, `correlation ${correlation.toFixed(3)}`);
});

t.test('sessions outlive their controller by the grace period and can be adopted', async (t) => {
  const media = daemon(t);
  const first = await media.link();
  await first.command('configure', { ...configuration, graceSeconds: 1 });
  const { rtpPort } = await first.command('openSession', { session: 'call', address });
  await first.command('startTone', { target: { kind: 'device', device: 'handset' }, tone: 'ring' });
  await first.stop();
  const second = await media.link();
  t.strictSame(await second.command('sessions', {}), { sessions: [{ session: 'call', rtpPort }] });
  const { engine } = (await second.command('describe', {})) as { engine: { route: Record<string, string[]> } };
  t.strictSame(engine.route['device:handset'], [], 'the bell stopped with its controller');
  await new Promise((resolve) => setTimeout(resolve, 1500));
  t.equal((await second.command('sessions', {})).sessions.length, 1, 'adopted in time');
  await second.stop();
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const third = await media.link();
  t.strictSame(await third.command('sessions', {}), { sessions: [] });
});

t.test('files: played into a call with gaps, ended, missing, not WAV', async (t) => {
  const media = daemon(t);
  const phone = await media.link();
  await phone.command('configure', configuration);
  const listener = createSocket('udp4').bind(0, address);
  await once(listener, 'listening');
  t.teardown(() => listener.close());
  let loud = 0;
  // 0xd5 is A-law silence.
  listener.on('message', (packet) => {
    if (packet.subarray(12).some((code) => (code | 0x80) !== 0xd5)) loud++;
  });
  await phone.command('openSession', { session: 'call', address });
  const { port } = listener.address();
  await phone.command('updateSession', { session: 'call', parameters: towards({ rtpPort: port, rtcpPort: 9 }) });
  const file = join(media.directory, 'alert.wav');
  writeWav(file, new Int16Array(1600).fill(8000));
  const target = { kind: 'session', session: 'call' } as const;
  await phone.command('startPlayback', { playback: 'alert', target, file, repeat: 3, gapMs: 100 });
  await media.until(() => media.events.length === 1, 'end of the playback');
  t.strictSame(media.events, [{ name: 'playbackEnded', event: { playback: 'alert', completed: true } }]);
  t.ok(loud >= 29 && loud <= 36, `${loud} loud packets for 3 × 200 ms`);
  const bad = join(media.directory, 'bad.wav');
  writeFileSync(bad, 'not sound');
  const play = (path: string) => phone.command('startPlayback', { playback: 'p', target, file: path, repeat: 1, gapMs: 0 });
  t.strictSame(await phone.command('examineSound', { file }), { seconds: 0.2 });
  await t.rejects(phone.command('examineSound', { file: bad }), { message: /bad\.wav cannot be played: not-wav/ });
  await t.rejects(play(bad), { message: /bad\.wav cannot be played: not-wav/ });
  await t.rejects(play('/nowhere.wav'), { message: /nowhere\.wav cannot be read/ });
  await t.rejects(play(media.directory), { message: /cannot be read/ });
});

t.test('a device that is not there is a fault of the result; its role exists, and it is taken up once it works', async (t) => {
  const media = daemon(t);
  const phone = await media.link();
  const input = join(media.directory, 'later.wav');
  const devices = { handset: { driver: 'wav', input, loop: true, output: null }, ringer: { driver: 'silence' } } as const;
  const result = await phone.command('configure', { ...configuration, devices });
  t.match(result, { devices: { handset: { ok: false, reason: /later\.wav/ }, ringer: { ok: true } } });
  await phone.command('openSession', { session: 'call', address });
  await phone.command('connectSession', { session: 'call', device: 'handset' });
  await phone.command('setVolume', { device: 'handset', volume: 50 });
  await phone.command('setMuted', { device: 'ringer', muted: true });
  writeWav(input, new Int16Array(8000).fill(1000));
  await media.until(() => media.events.length > 0, 'change of the device');
  t.strictSame(media.events, [{ name: 'deviceChanged', event: { device: 'handset', ok: true } }]);
  const described = (await phone.command('describe', {})) as { engine: { route: object; devices: object } };
  t.match(described.engine.route, { 'session:call': ['device:handset'] });
  t.match(described.engine.devices, { handset: { volume: 50 }, ringer: { muted: true } });
  const without = await phone.command('configure', { ...configuration, devices: {} });
  t.strictSame(without, { devices: {}, opus: { ok: false }, marked: { ok: true } });
  await t.rejects(phone.command('connectSession', { session: 'call', device: 'handset' }), { code: 'unknown-device' });
});

t.test('a page takes the place of the handset and gives it back, in a call; another takes it over', async (t) => {
  const media = daemon(t);
  const phone = await media.link();
  const early = pageOf(t, media);
  await early.closed;
  const devices = { handset: { driver: 'wav', input: '/nowhere.wav', loop: true, output: null } } as const;
  t.match(await phone.command('configure', { ...configuration, devices }), { devices: { handset: { ok: false } } });
  const listener = createSocket('udp4').bind(0, address);
  await once(listener, 'listening');
  t.teardown(() => listener.close());
  let loud = 0;
  listener.on('message', (packet, { port }) => {
    if (packet.subarray(12).some((code) => (code | 0x80) !== 0xd5)) loud++;
    // The far end says what it hears.
    listener.send(packet, port, address);
  });
  await phone.command('openSession', { session: 'call', address });
  const { port } = listener.address();
  await phone.command('updateSession', { session: 'call', parameters: towards({ rtpPort: port, rtcpPort: 9 }) });
  await phone.command('connectSession', { session: 'call', device: 'handset' });
  const first = pageOf(t, media);
  await media.until(() => first.heard > 20, 'its own voice');
  t.ok(loud > 20, `${loud} loud packets`);
  t.strictSame(media.events, [{ name: 'deviceChanged', event: { device: 'handset', ok: true } }]);
  const second = pageOf(t, media);
  await media.until(() => second.heard > 20, 'its own voice');
  await first.closed;
  t.match(await phone.command('describe', {}), { sound: { pacing: 'handset', lent: { handset: { identity: 'page', running: true } } } });
  second.end();
  await media.until(() => media.events.length === 2, 'the handset');
  t.match(media.events.at(-1), { name: 'deviceChanged', event: { device: 'handset', ok: false, reason: /nowhere\.wav/ } });
  t.match(await phone.command('describe', {}), { sound: { pacing: 'monotonic clock', lent: {} } });
  t.strictSame((await phone.command('sessions', {})).sessions.length, 1, 'the call goes on');
  const stranger = connect(socketPathOf(media.directory, pageSound.socket));
  stranger.write('GET / HTTP/1.1\r\n');
  await once(stranger, 'close');
});

/** Speaks a tone into the daemon as web does for a page, and counts how often it hears something. */
function pageOf(t: Tap, media: Daemon) {
  const socket = connect(socketPathOf(media.directory, pageSound.socket));
  const tone = Int16Array.from({ length: pageSound.frameSamples }, (_, index) => 8000 * Math.sin((2 * Math.PI * index) / 40));
  const page = { heard: 0, closed: once(socket, 'close'), end: () => socket.destroy() };
  let speech: NodeJS.Timeout | undefined;
  t.teardown(async () => {
    clearInterval(speech);
    socket.destroy();
  });
  socket.on('error', () => clearInterval(speech));
  socket.on('close', () => clearInterval(speech));
  socket.write(pageSound.greeting);
  socket.on('data', (bytes: Buffer) => {
    // It has the place.
    speech ??= setInterval(() => socket.write(new Uint8Array(tone.buffer)), 20);
    for (let at = 1; at < bytes.length; at += 2) {
      if (Math.abs(bytes.readInt8(at)) < 8) continue;
      page.heard++;
      return;
    }
  });
  return page;
}

t.test('refusals come back with their word, and a peer that falls silent is told', async (t) => {
  const media = daemon(t);
  const phone = await media.link();
  await phone.command('configure', { ...configuration, silenceSeconds: 1, rtpPorts: { from: 26_000, to: 26_001 } });
  await phone.command('openSession', { session: 'only', address });
  await t.rejects(phone.command('openSession', { session: 'only', address }), { code: 'session-exists' });
  await t.rejects(phone.command('openSession', { session: 'another', address }), { message: /no free pair of RTP ports/ });
  await t.rejects(phone.command('sendDigit', { session: 'only', digit: '1', durationMs: 100, way: 'event' }), { code: 'digit-not-sent' });
  await phone.command('updateSession', { session: 'only', parameters: towards({ rtpPort: 9, rtcpPort: 9 }) });
  await media.until(() => media.events.length > 0, 'silence');
  t.strictSame(media.events, [{ name: 'rtpSilence', event: { session: 'only', seconds: 1 } }]);
});

t.test('while nothing sounds no frame moves; a tone is heard within a frame or two', async (t) => {
  const phone = await daemon(t).link();
  await phone.command('configure', configuration);
  const frames = async () => {
    const { sound } = (await phone.command('describe', {})) as {
      sound: { devices: { handset: { framesCaptured: number; framesPlayed: number } } };
    };
    return sound.devices.handset;
  };
  const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  await pause(2_600);
  const resting = await frames();
  await pause(400);
  t.equal((await frames()).framesCaptured, resting.framesCaptured, 'its clock stands');
  await phone.command('startTone', { target: { kind: 'device', device: 'handset' }, tone: 'dial' });
  await pause(500);
  const { framesCaptured } = await frames();
  t.ok(framesCaptured - resting.framesCaptured >= 10, `${framesCaptured - resting.framesCaptured} frames in half a second`);
  await phone.command('stopTone', { target: { kind: 'device', device: 'handset' } });
});
