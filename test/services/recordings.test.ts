import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { parseWav, wavHeader } from '#firmware/audio/wav.ts';
import { mediaContract } from '#firmware/contract/media.ts';
import { silentLogger } from '#firmware/core/logger.ts';
import { CallRecorder } from '#firmware/media/call-recorder.ts';
import { socketPathOf } from '#firmware/platform/daemon.ts';
import { nodeClock } from '#firmware/platform/node-clock.ts';
import { nodeEntropy } from '#firmware/platform/node-entropy.ts';
import { type ContractLink, connectContract } from '#firmware/platform/unix-socket.ts';
import { type RecordingEnd, type RecordingLimits, Recordings } from '#services/media/recordings.ts';
import { bundle } from '#test/support/bundle.ts';

const program = bundle('services/media/main.ts');
const address = '127.0.0.1';
type Tap = { teardown(step: () => unknown): void };
type Media = ContractLink<typeof mediaContract>;

function directoryOf(t: Tap): string {
  const directory = mkdtempSync(join(tmpdir(), 'hookswitch-recordings-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

async function until<T>(look: () => T | undefined | Promise<T | undefined>, what: string): Promise<T> {
  const patience = nodeClock.now() + 20_000;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (nodeClock.now() > patience) throw new Error(`no ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** A media daemon in a call with itself, perhaps with files of so many bytes at most. */
async function inCall(t: Tap, directory: string, fileBytes?: number) {
  const argv = [program, '--runtime-dir', directory, '--state-dir', directory];
  const options = { stdio: 'ignore' } as const;
  const process_: ChildProcess = fileBytes
    ? // Without what the test runner loads into every process: it takes SIGXFSZ for the end.
      spawn('env', ['-u', 'NODE_OPTIONS', 'prlimit', `--fsize=${fileBytes}`, process.execPath, ...argv], options)
    : spawn(process.execPath, argv, options);
  const ended: { name: string; reason: string; detail?: string | undefined }[] = [];
  const media: Media = connectContract(
    socketPathOf(directory, 'media'),
    mediaContract,
    { recordingEnded: (event) => ended.push(event) },
    { role: 'phone', clock: nodeClock, entropy: nodeEntropy, logger: silentLogger },
  );
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    await media.stop();
    if (process_.exitCode !== null || process_.signalCode !== null) return;
    process_.kill(signal);
    await once(process_, 'exit');
  };
  t.teardown(() => end('SIGTERM'));
  await media.whenUp();
  await media.command('configure', {
    devices: { handset: { driver: 'silence' } },
    rtpPorts: { from: 27_000, to: 29_000 },
    country: 'de',
    jitterBuffer: { minimumMs: 20, startMs: 60, maximumMs: 200 },
    graceSeconds: 20,
    opus: false,
    certificate: null,
    silenceSeconds: 0,
  });
  const { rtpPort, rtcpPort } = await media.command('openSession', { session: 'call', address });
  await media.command('updateSession', {
    session: 'call',
    parameters: {
      remote: { address, rtpPort, rtcpPort },
      codecs: [{ name: 'PCMA', send: 8, receive: 8 }],
      ptime: 20,
      telephoneEvents: [],
      detectDigits: false,
      comfortNoise: false,
      direction: 'sendrecv',
      symmetric: false,
      rtcpMux: false,
      ice: null,
      security: null,
    },
  });
  await media.command('startTone', { target: { kind: 'session', session: 'call' }, tone: 'dial' });
  const list = async () => (await media.command('recordings', {})).recordings;
  return { media, ended, end, list };
}

const start = (media: Media) => media.command('startRecording', { session: 'call', label: '600', beep: 'off' });

t.test('a call is recorded to a stereo file that only the daemon may read, and told when it is over', async (t) => {
  const directory = directoryOf(t);
  const { media, ended, list } = await inCall(t, directory);
  const { name } = await start(media);
  t.match(name, /^20\d{6}-\d{6}-600\.wav$/);
  t.strictSame(await start(media), { name }, 'one that runs goes on');
  const path = join(directory, 'recordings', name);
  await until(() => (statSync(`${path}.part`).size > 60_000 ? true : undefined), 'two seconds on the disk');
  t.match(await list(), [{ name, session: 'call' }]);
  await t.rejects(media.command('readRecording', { name, offset: 0 }), { code: 'unknown-recording' }, 'not before it is finished');
  await media.command('closeSession', { session: 'call' });
  const [told] = await until(() => (ended.length > 0 ? ended : undefined), 'end');
  t.match(told, { name, reason: 'stopped' });
  t.equal(statSync(path).mode & 0o777, 0o600);
  t.equal(statSync(join(directory, 'recordings')).mode & 0o777, 0o700);
  const bytes = readFileSync(path);
  const parsed = parseWav(bytes);
  t.match(parsed, { outcome: 'readable', layout: { channels: 2, sampleRate: 8000, dataStart: 44, dataEnd: bytes.length } });
  const side = (channel: number) =>
    Array.from({ length: (bytes.length - 44) / 4 }, (_, index) => bytes.readInt16LE(44 + 4 * index + 2 * channel));
  const loud = side(0).some((sample) => Math.abs(sample) > 2000) && side(1).some((sample) => Math.abs(sample) > 2000);
  t.ok(loud, 'the tone went out, and came back');
  const [entry] = await list();
  t.match(entry, { name, bytes: bytes.length, session: null });
  let read = Buffer.alloc(0);
  for (let portion = await media.command('readRecording', { name, offset: 0 }); portion.bytes !== ''; ) {
    read = Buffer.concat([read, Buffer.from(portion.bytes, 'base64')]);
    portion = await media.command('readRecording', { name, offset: read.length });
  }
  t.ok(read.equals(bytes));
  for (const wrong of ['../media.sock', 'a/../b.wav', '.wav', 'x.wav.part', `${'a'.repeat(130)}.wav`]) {
    await t.rejects(media.command('readRecording', { name: wrong, offset: 0 }), { code: 'invalid-arguments' }, wrong);
    await t.rejects(media.command('deleteRecording', { name: wrong }), { code: 'invalid-arguments' }, wrong);
  }
  await t.rejects(media.command('deleteRecording', { name: 'another.wav' }), { code: 'unknown-recording' });
  await media.command('deleteRecording', { name });
  t.strictSame([await list(), readdirSync(join(directory, 'recordings'))], [[], []]);
});

t.test('what a killed daemon has left is finished by the next, and what holds no sound is thrown away', async (t) => {
  const directory = directoryOf(t);
  const first = await inCall(t, directory);
  const { name } = await start(first.media);
  const path = join(directory, 'recordings', name);
  await until(() => (statSync(`${path}.part`).size > 90_000 ? true : undefined), 'three seconds on the disk');
  await first.end('SIGKILL');
  const { size } = statSync(`${path}.part`);
  writeFileSync(join(directory, 'recordings', 'empty.wav.part'), wavHeader(8000, 0, 2));
  writeFileSync(join(directory, 'recordings', 'odd.wav.part'), Buffer.concat([wavHeader(16_000, 0, 2), Buffer.alloc(64_003)]));
  const second = await inCall(t, directory);
  const found = await second.list();
  t.match(
    found.find((recording) => recording.name === name),
    { bytes: size - ((size - 44) % 4), session: null },
  );
  t.match(
    found.find((recording) => recording.name === 'odd.wav'),
    { bytes: 64_044, seconds: 1 },
    'half a sample is cut off',
  );
  t.strictSame(readdirSync(join(directory, 'recordings')).sort(), [name, 'odd.wav'].sort());
  const bytes = readFileSync(path);
  t.equal(bytes.readUInt32LE(40), bytes.length - 44, 'its header says how long it is');
});

t.test('a disk that takes no more ends the recording, not the call; what was written is kept', async (t) => {
  const directory = directoryOf(t);
  // Three seconds of sound.
  const { media, ended, list } = await inCall(t, directory, 100_000);
  const { name } = await start(media);
  const [told] = await until(() => (ended.length > 0 ? ended : undefined), 'end');
  t.match(told, { name, reason: 'failed', detail: /EFBIG/ });
  t.match(await media.command('sessions', {}), { sessions: [{ session: 'call' }] }, 'the call goes on');
  const [entry] = await list();
  t.match(entry, { name, session: null });
  t.ok((entry?.seconds ?? 0) >= 2, `${entry?.seconds} s are kept`);
});

// ── limits, without a daemon ──

const limits: RecordingLimits = { maximumMinutes: 60, maximumMegabytes: 1, keepFreeMegabytes: 0, whenFull: 'deleteOldest' };

async function shelf(t: Tap, changes: Partial<RecordingLimits> = {}) {
  const directory = directoryOf(t);
  const ended: { name: string; reason: RecordingEnd; detail: string | undefined }[] = [];
  let wallTime = Date.UTC(2030, 0, 1);
  const recordings = new Recordings({
    directory,
    clock: { wallTime: () => wallTime },
    logger: silentLogger,
    onEnded: (_session, name, reason, detail) => ended.push({ name, reason, detail }),
  });
  recordings.configure({ ...limits, ...changes });
  await recordings.recover();
  t.teardown(() => recordings.stopAll());
  /** Records so many seconds at 8 kHz. */
  const record = async (session: string, seconds: number): Promise<string> => {
    const recorder = new CallRecorder(8000, 'off');
    const name = await recordings.start(session, session, () => recorder);
    wallTime += 1000;
    for (let block = 0; block < 100 * seconds; block++) recorder.hearNear(new Int16Array(80).fill(block), 8000);
    return name;
  };
  const finished = async (session: string, seconds: number): Promise<string> => {
    const name = await record(session, seconds);
    await recordings.stop(session);
    return name;
  };
  const names = () => recordings.list().map(({ name }) => name);
  return { directory, recordings, ended, record, finished, names };
}

t.test('the oldest make way for the new ones, or nothing is recorded', async (t) => {
  const { recordings, finished, names } = await shelf(t);
  // 256 KB each: four of them are the megabyte.
  const made: string[] = [];
  for (const session of ['a', 'b', 'c', 'd', 'e']) made.push(await finished(session, 8.2));
  t.equal(made[0], '20300101-000000-a.wav');
  t.strictSame(names(), made.slice(1), 'the first has made way');
  recordings.configure({ ...limits, whenFull: 'refuse' });
  await t.rejects(finished('f', 1), { message: /the recordings have 1 MB/ });
  t.strictSame(names(), made.slice(1));
  await recordings.remove(made[1] ?? '');
  t.ok(await finished('f', 1));
});

t.test('a recording that becomes too long ends by itself, as does one for which there is no room any more', async (t) => {
  const long = await shelf(t, { maximumMinutes: 0.1 });
  const name = await long.record('a', 7);
  await until(() => (long.ended.length > 0 ? true : undefined), 'end');
  t.match(long.ended, [{ name, reason: 'tooLong', detail: undefined }]);
  t.equal(long.recordings.list()[0]?.seconds, 7, 'all of it is kept');
  const large = await shelf(t, { maximumMegabytes: 0.1 });
  await large.finished('before', 2);
  const another = await large.record('b', 6);
  await until(() => (large.ended.length > 1 ? true : undefined), 'end');
  t.match(large.ended[1], { name: another, reason: 'full', detail: /the recordings have 0.1 MB/ });
  t.strictSame(large.names(), [another], 'the older one has made way first');
});

t.test('two recordings of one second have two names', async (t) => {
  const { recordings } = await shelf(t);
  const names = [];
  for (const session of ['a', 'b']) names.push(await recordings.start(session, '600', () => new CallRecorder(8000, 'off')));
  t.strictSame(names, ['20300101-000000-600.wav', '20300101-000000-600-2.wav']);
});

t.test('no room on the disk: refused with the reason; a directory that cannot be is no obstacle for calls', async (t) => {
  const { finished } = await shelf(t, { keepFreeMegabytes: 1_000_000_000 });
  await t.rejects(finished('a', 1), { message: /less than 1000000000 MB of the disk are free/ });
  const directory = directoryOf(t);
  writeFileSync(join(directory, 'recordings'), 'in the way');
  const recordings = new Recordings({
    directory: join(directory, 'recordings'),
    clock: nodeClock,
    logger: silentLogger,
    onEnded: () => undefined,
  });
  await recordings.recover();
  await t.rejects(
    recordings.start('a', 'a', () => new CallRecorder(8000, 'off')),
    { message: /there is no directory for recordings/ },
  );
  t.strictSame(recordings.list(), []);
  const foreign = directoryOf(t);
  mkdirSync(join(foreign, 'folder.wav'));
  writeFileSync(join(foreign, 'text.wav'), 'no sound');
  const others = new Recordings({ directory: foreign, clock: nodeClock, logger: silentLogger, onEnded: () => undefined });
  await others.recover();
  t.strictSame(others.list(), [], 'what is no recording is left alone');
});
