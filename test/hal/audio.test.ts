import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import t from 'tap';
import { align } from '#firmware/audio/correlation.ts';
import { parseWav, WavReader, wavHeader } from '#firmware/audio/wav.ts';
import type { AudioDevice as AudioDeviceSpec } from '#firmware/contract/media.ts';
import { nodeClock } from '#firmware/platform/node-clock.ts';
import { openAudioDevice } from '#hal/audio/audio-devices.ts';
import { listSoundDevices } from '#hal/audio/sound-list.ts';
import { encodeSoundMessage, FrameReader, SoundMessageReader } from '#hal/audio/sound-messages.ts';
import { WavRecorder } from '#hal/audio/wav-recorder.ts';
import { Listening } from '#test/contract/audio-suite.ts';
import { LabPcm, type LabWire } from '#test/support/labpcm.ts';

/** What sound drivers do beyond the contract suite: latency, unplugging, files. naudiodon plays on real ALSA cards made by labpcm. */

const soundProgram = join(import.meta.dirname, '../../services/sound/main.ts');
const open = (spec: AudioDeviceSpec) => openAudioDevice(spec, { clock: nodeClock, soundProgram });
const onCards = (input: string | null, output: string | null) => open({ driver: 'portaudio', input, output, sampleRate: 8_000 });
const folder = t.testdir();

const lab = await LabPcm.start({
  handset: { capture: 'mouth', playback: 'ear' },
  stereo: { capture: 'left', playback: 'right', channels: 2 },
  slow: { capture: 'far', playback: 'away', ppm: -20_000 },
  wide: { capture: 'wide-mouth', playback: 'wide-ear', rate: 48_000 },
});
t.teardown(() => lab.end());
Object.assign(process.env, lab.environment);

/** Noise that is like nothing but itself. */
function noise(samples: number, seed: number): Int16Array {
  let state = seed;
  return Int16Array.from({ length: samples }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return ((state >> 8) % 16_000) - 8_000;
  });
}

/**
 * Sends noise through microphone, JavaScript and loudspeaker of a device that echoes, and finds it again: the round trip, ms. A loaded
 * machine may tear one try; the best of five counts.
 */
async function roundTrip(ear: Listening, mouth: LabWire, receiver: LabWire): Promise<{ ms: number; correlation: number }> {
  let best = { ms: 0, correlation: 0 };
  for (let attempt = 1; attempt <= 5 && best.correlation < 0.99; attempt++) {
    const perMs = mouth.rate / 1_000;
    const [sent, longest] = [noise(300 * perMs, attempt), 200 * perMs];
    const at = mouth.now() + 50 * perMs;
    mouth.put(sent, at);
    await ear.until(() => mouth.now() > at + sent.length + longest);
    const { lag, correlation } = align(sent, receiver.take(at, sent.length + longest), longest);
    if (correlation > best.correlation) best = { ms: lag / perMs, correlation };
  }
  return best;
}

t.test('PortAudio: sound comes back whole, after the same short time, also after the process stood still', async (t) => {
  const device = onCards('handset', 'handset');
  const ear = new Listening();
  ear.each = (captured) => device.play(captured);
  await device.start(ear);
  t.teardown(() => device.stop());
  const [mouth, receiver] = [lab.wire('mouth'), lab.wire('ear')];
  const before = [];
  for (let trip = 1; trip <= 4; trip++) before.push(await roundTrip(ear, mouth, receiver));
  const stalled = performance.now();
  while (performance.now() - stalled < 400);
  await ear.more(50);
  const after = await roundTrip(ear, mouth, receiver);
  t.comment(`round trip at 8 kHz: ${before.map(({ ms }) => ms).join(', ')} ms; after a stall of 400 ms: ${after.ms} ms`);
  for (const { ms, correlation } of [...before, after]) {
    t.ok(correlation > 0.99, `correlation ${correlation.toFixed(4)}`);
    t.ok(ms > 20 && ms <= 80, `${ms} ms`);
  }
  t.ok(Math.abs(after.ms - (before[0]?.ms ?? 0)) <= 21, 'no lasting latency');
  const status = device.describe();
  t.ok(status.overruns >= 8, `the sound the stall cost is counted: ${status.overruns} frames`);
  t.equal(status.framesDropped, 0);
});

t.test('PortAudio: periods that are no frames, and stereo cards', async (t) => {
  for (const [title, spec, mouth, receiver] of [
    ['periods of 64', { input: 'handset', output: 'handset', framesPerBuffer: 64 }, 'mouth', 'ear'],
    ['stereo', { input: 'stereo', output: 'stereo' }, 'left', 'right'],
  ] as const) {
    const device = open({ driver: 'portaudio', sampleRate: 8_000, ...spec });
    const ear = new Listening();
    ear.each = (captured) => device.play(captured);
    await device.start(ear);
    await ear.more(100);
    const { ms, correlation } = await roundTrip(ear, lab.wire(mouth), lab.wire(receiver));
    await device.stop();
    t.comment(`${title}: ${ms} ms, correlation ${correlation.toFixed(4)}`);
    t.same(ear.failures, []);
    t.ok(correlation > 0.99 && ms <= 110, `${title}: ${ms} ms, ${correlation.toFixed(4)}`);
  }
});

t.test('PortAudio: a card runs at its own rate when nobody asks for another, and shorter frames are heard sooner', async (t) => {
  const trips: number[] = [];
  for (const frameMs of [10, 20] as const) {
    const device = open({ driver: 'portaudio', input: 'wide', output: 'wide', frameMs });
    const ear = new Listening();
    ear.each = (captured) => device.play(captured);
    await device.start(ear);
    t.match(device.describe(), { sampleRate: 48_000 });
    t.equal(device.frameSamples, 48 * frameMs);
    const { ms, correlation } = await roundTrip(ear, lab.wire('wide-mouth'), lab.wire('wide-ear'));
    await device.stop();
    t.ok(correlation > 0.99, `correlation ${correlation.toFixed(4)}`);
    trips.push(ms);
  }
  const [short = 0, long = 0] = trips;
  t.comment(`round trip at 48 kHz: ${short} ms with frames of 10 ms, ${long} ms with 20`);
  t.ok(short <= long && short <= 60, `${short} and ${long} ms`);
});

t.test('PortAudio: two cards whose crystals are 2 % apart go on side by side', async (t) => {
  const device = onCards('handset', 'slow');
  const ear = new Listening();
  ear.each = (captured) => device.play(captured);
  await device.start(ear);
  await ear.more(10);
  const [before, started] = [ear.frames, performance.now()];
  await ear.until(() => performance.now() - started > 4_000);
  const heard = ear.frames - before;
  await device.stop();
  const ms = heard * device.frameMs;
  t.comment(`${ms} of 4000 ms in 4 s`);
  t.ok(ms >= 2800 && ms <= 4080, `${ms} ms`);
  t.equal(device.describe().framesDropped, 0);
  t.same(ear.failures, []);
});

t.test('PortAudio: a card pulled out is a failure soon, and works once it is back', async (t) => {
  const wires = [lab.wire('mouth'), lab.wire('ear')];
  for (const [input, output] of [
    ['handset', 'handset'],
    ['handset', null],
    [null, 'handset'],
  ] as const) {
    const device = onCards(input, output);
    const ear = new Listening();
    await device.start(ear);
    await ear.more(10);
    for (const wire of wires) wire.setUnplugged(true);
    const pulled = performance.now();
    await t.rejects(ear.more(1_000), { message: /no sound for/ });
    t.ok(performance.now() - pulled < 1_500, `${input}/${output}: noticed after ${Math.round(performance.now() - pulled)} ms`);
    t.equal(device.describe().running, false);
    t.equal(ear.failures.length, 1);
    await t.rejects(device.start(new Listening()), { name: 'ResourceError', message: /there is no sound (in|out)put named handset/ });
    for (const wire of wires) wire.setUnplugged(false);
    const again = new Listening();
    await device.start(again);
    await again.more(10);
    await device.stop();
    t.same(again.failures, [], 'plugged in again');
    await t.resolves(device.stop());
  }
  t.same(soundProcesses(), [], 'no process is left');
});

t.test('PortAudio: a name that is not there is answered by the names that are', async (t) => {
  await t.rejects(onCards('headset', 'handset').start(new Listening()), {
    name: 'ResourceError',
    message: 'there is no sound input named headset; there is handset, stereo, slow, wide, default',
  });
  await t.rejects(onCards(null, null).start(new Listening()), { message: /neither an input nor an output/ });
  await t.rejects(open({ driver: 'portaudio', input: 'handset', output: null, sampleRate: 48_000 }).start(new Listening()), {
    message: /handset\/- cannot be opened: .*sample rate/i,
  });
  const nowhere = openAudioDevice(
    { driver: 'portaudio', input: 'handset', output: null, sampleRate: 8_000 },
    { clock: nodeClock, soundProgram: '/nowhere/main.js' },
  );
  await t.rejects(nowhere.start(new Listening()), { name: 'ResourceError', message: /the sound process ended/ });
});

t.test(
  'PortAudio: devices are listed by a process of their own, in the words that mean them, and one without PortAudio says why',
  async (t) => {
    t.match(await listSoundDevices(soundProgram), [
      { wish: 'handset', name: 'handset', inputChannels: 1, outputChannels: 1, sampleRate: 8_000, rates: [] },
      { wish: 'stereo', inputChannels: 2, outputChannels: 2 },
      { wish: 'slow' },
      { wish: 'wide', sampleRate: 48_000 },
      { wish: 'default' },
    ]);
    for (const wish of ['alsa:wide', 'WIDE', 'default']) {
      const device = open({ driver: 'portaudio', input: null, output: wish });
      await device.start(new Listening());
      t.match(device.describe(), { input: undefined, output: { identity: wish === 'default' ? 'default' : 'wide', channels: 1 } }, wish);
      await device.stop();
    }
    await t.rejects(listSoundDevices('/nowhere/main.js'), { name: 'ResourceError', message: /do not say what they are/ });
  },
);

t.test('PortAudio: the sound process ends with whoever started it, and outlives a Ctrl-C', async (t) => {
  const spec = { driver: 'portaudio', input: 'handset', output: 'handset', sampleRate: 8_000 };
  const child = spawn(process.execPath, ['--import=tsx', soundProgram, JSON.stringify(spec)], {
    stdio: ['pipe', 'ignore', 'ignore', 'pipe'],
  });
  const messages = child.stdio[3] as Readable;
  await once(messages, 'data');
  child.kill('SIGINT');
  child.kill('SIGTERM');
  await once(messages, 'data');
  t.equal(child.exitCode ?? child.signalCode, null);
  (child.stdio[0] as Writable).end();
  messages.resume();
  await once(child, 'exit');
  t.pass('ended');
});

t.test('the messages of a sound process are found whatever pieces the pipe makes of them', async (t) => {
  const stream = Buffer.concat([
    encodeSoundMessage('started'),
    encodeSoundMessage('captured', Uint8Array.of(1, 2, 3, 4)),
    Buffer.from([99, 1, 0, 7]),
    encodeSoundMessage('taken'),
    encodeSoundMessage('failed', Buffer.from('größer')),
  ]);
  for (let size = 1; size <= stream.length; size++) {
    const reader = new SoundMessageReader();
    const taken: string[] = [];
    for (let at = 0; at < stream.length; at += size) {
      reader.receive(stream.subarray(at, at + size), (kind, content) =>
        taken.push(`${kind} ${kind === 'failed' ? content : [...content]}`),
      );
    }
    t.same(taken, ['started ', 'captured 1,2,3,4', 'taken ', 'failed größer'], `pieces of ${size}`);
  }
  const frames: number[][] = [];
  const reader = new FrameReader(3);
  for (const piece of [[1], [2, 3, 4, 5], [], [6, 7]]) reader.receive(Uint8Array.from(piece), (frame) => frames.push([...frame]));
  t.same(frames, [
    [1, 2, 3],
    [4, 5, 6],
  ]);
});

function writeWav(name: string, samples: Int16Array, rate = 8_000): string {
  const path = join(folder, name);
  writeFileSync(path, Buffer.concat([wavHeader(rate, samples.byteLength), new Uint8Array(samples.buffer)]));
  return path;
}

function readWav(path: string): { rate: number; samples: Int16Array } {
  const bytes = readFileSync(path);
  const wav = parseWav(bytes);
  if (wav.outcome !== 'readable') throw new Error(wav.reason);
  const samples = new Int16Array((wav.layout.dataEnd - wav.layout.dataStart) / 2);
  new WavReader(bytes, wav.layout).read(samples);
  return { rate: wav.layout.sampleRate, samples };
}

t.test('WAV: the microphone is the file, again and again or once, and the loudspeaker is recorded without holes', async (t) => {
  const sound = noise(1_000, 3);
  const input = writeWav('short.wav', sound);
  for (const loop of [true, false]) {
    const output = join(folder, `recorded-${loop}.wav`);
    const device = open({ driver: 'wav', input, loop, output });
    const ear = new Listening();
    const heard: number[] = [];
    ear.each = (captured) => {
      heard.push(...captured);
      if (ear.frames % 5 !== 0) device.play(captured);
    };
    await device.start(ear);
    await ear.more(30);
    await device.stop();
    const expected = Array.from(heard, (_, index) => (loop || index < sound.length ? (sound[index % sound.length] ?? 0) : 0));
    t.same(heard, expected, loop ? 'the file, round and round' : 'the file, then silence');
    const { rate, samples } = readWav(output);
    t.equal(rate, 8_000);
    const played = heard.map((sample, index) => ((Math.floor(index / 160) + 1) % 5 === 0 ? 0 : sample));
    t.same([...samples], played, 'with silence where nothing was played');
    t.equal(device.describe().underruns, Math.floor(ear.frames / 5));
  }
});

t.test('WAV: a file of another rate makes a device of that rate', async (t) => {
  const device = open({
    driver: 'wav',
    input: writeWav('wide.wav', noise(960 * 4, 4), 48_000),
    loop: true,
    output: join(folder, 'wide-out.wav'),
  });
  const ear = new Listening();
  ear.each = (captured) => device.play(captured);
  await device.start(ear);
  t.equal(device.frameSamples, 960);
  await ear.more(6);
  await device.stop();
  t.equal(readWav(join(folder, 'wide-out.wav')).rate, 48_000);
});

t.test('WAV: a recording that was killed plays', async (t) => {
  const path = join(folder, 'killed.wav');
  const recorder = await WavRecorder.open(path, 8_000);
  const sound = noise(160 * 60, 8);
  for (let at = 0; at < sound.length; at += 160) recorder.append(sound.subarray(at, at + 160));
  while (readFileSync(path).length < 44 + 160 * 2 * 50) await new Promise((resolve) => setImmediate(resolve));
  const { samples } = readWav(path);
  t.same([...samples.subarray(0, 160 * 25)], [...sound.subarray(0, 160 * 25)], 'all but the last half second, without being closed');
  await recorder.close();
  t.same([...readWav(path).samples], [...sound]);
  t.equal(recorder.lost, 0);
});

t.test('WAV: files that are not there or no sound are refused in plain words', async (t) => {
  const text = join(folder, 'text.wav');
  writeFileSync(text, 'this is no sound');
  for (const [input, output, message] of [
    [join(folder, 'missing.wav'), null, /the microphone file .*missing\.wav cannot be read: ENOENT/],
    [text, null, /text\.wav is no sound: not-wav/],
    [writeWav('odd.wav', noise(100, 1), 11_025), null, /odd\.wav has 11025 samples a second, not one of 8000/],
    [null, join(folder, 'no/such/folder.wav'), /the loudspeaker cannot be recorded to .*folder\.wav: ENOENT/],
  ] as const) {
    await t.rejects(open({ driver: 'wav', input, loop: true, output }).start(new Listening()), { name: 'ResourceError', message });
  }
});

t.test('WAV: a disk that takes no more is a failure of the device', async (t) => {
  const device = open({ driver: 'wav', input: null, loop: true, output: '/dev/full' });
  const ear = new Listening();
  await t.rejects(
    device.start(ear).then(() => ear.more(100)),
    { message: /\/dev\/full: ENOSPC/ },
  );
  await device.stop();
});

/** Sound processes that this process started and that run still. */
function soundProcesses(): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      const parent = /^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
      return parent === String(process.pid) && readlinkSync(`/proc/${pid}/exe`) === process.execPath;
    } catch {
      return false;
    }
  });
}
