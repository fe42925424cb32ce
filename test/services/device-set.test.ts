import t from 'tap';
import type { AudioDevice as AudioDeviceSpec } from '#firmware/contract/media.ts';
import { ResourceError } from '#firmware/core/errors.ts';
import { silentLogger } from '#firmware/core/logger.ts';
import { MediaEngine } from '#firmware/media/media-engine.ts';
import { nodeClock } from '#firmware/platform/node-clock.ts';
import type { AudioDevice, AudioListener } from '#hal/audio/audio-port.ts';
import { type DeviceHealth, DeviceSet } from '#services/media/device-set.ts';
import { sharedSpecs } from '#services/media/shared-devices.ts';
import { SoundCheck } from '#services/media/sound-check.ts';
import { seededEntropy } from '#test/support/seeded-entropy.ts';

/** Which device each role has: cards that several share, cards that go and come, others that help out. The cards are fakes whose frames a test makes. */

const frameSamples = 80;

class FakeCard implements AudioDevice {
  readonly identity: string;
  readonly sampleRate = 8000;
  readonly frameMs = 10;
  readonly frameSamples = frameSamples;
  readonly queuedFrames = 0;
  readonly #rig: Rig;
  readonly #name: string;
  #listener: AudioListener | undefined;
  played: number[] = [];
  starts = 0;

  constructor(rig: Rig, name: string) {
    this.identity = name;
    this.#rig = rig;
    this.#name = name;
  }

  async start(listener: AudioListener): Promise<void> {
    this.starts++;
    if (!this.#rig.plugged.has(this.#name)) throw new ResourceError(`there is no sound output named ${this.#name}`);
    this.#listener = listener;
  }

  async stop(): Promise<void> {
    this.#listener = undefined;
  }

  play(frame: Int16Array): boolean {
    this.played.push(frame[0] ?? 0);
    return this.#listener !== undefined;
  }

  /** One frame of the microphone, all of it this value. */
  beat(value = 0): void {
    this.#listener?.frame(new Int16Array(frameSamples).fill(value));
  }

  pull(): void {
    const listener = this.#listener;
    this.#listener = undefined;
    listener?.failed('unplugged');
  }

  describe() {
    const chosen = { identity: 'usb:0d8c:0014', channels: 1 };
    const counts = {
      input: chosen,
      output: { ...chosen, channels: 2 },
      framesCaptured: 0,
      framesPlayed: 0,
      queuedFrames: 0,
      underruns: 0,
      overruns: 0,
      framesDropped: 0,
    };
    return { identity: this.identity, running: this.#listener !== undefined, sampleRate: 8000, ...counts };
  }
}

class Rig {
  readonly plugged = new Set<string>();
  readonly cards = new Map<string, FakeCard>();
  readonly changes: (DeviceHealth & { role: string })[] = [];
  readonly engine = new MediaEngine(seededEntropy(1), 'cname', {
    country: 'us',
    jitterBuffer: { minimum: 20, start: 60, maximum: 200 },
    silenceSeconds: 0,
  });
  readonly devices: DeviceSet;
  ticks = 0;
  /** As /proc/asound/cards would change. */
  seen = '';
  #waiters = new Set<() => void>();

  constructor(...plugged: string[]) {
    for (const name of plugged) this.plugged.add(name);
    this.devices = new DeviceSet(this.engine, {
      open: (spec) => this.#open(spec),
      cards: async () => this.seen,
      clock: nodeClock,
      logger: silentLogger,
      onFrame: (ms) => {
        for (let done = 0; done < ms; done += 10) this.engine.tick(this.ticks++ * 10);
      },
      onChange: (role, health) => {
        this.changes.push({ role, ...health });
        for (const waiter of this.#waiters) waiter();
      },
    });
    this.devices.start();
  }

  card(name: string): FakeCard {
    const card = this.cards.get(name);
    if (!card) throw new Error(`nobody has opened ${name}`);
    return card;
  }

  /** Resolves once a change like this was told. */
  async told(role: string, ok: boolean): Promise<void> {
    const isSo = () => this.changes.at(-1)?.role === role && this.changes.at(-1)?.ok === ok;
    if (isSo()) return;
    await new Promise<void>((resolve) => {
      const look = () => {
        if (!isSo()) return;
        this.#waiters.delete(look);
        resolve();
      };
      this.#waiters.add(look);
    });
  }

  #open(spec: AudioDeviceSpec): AudioDevice {
    const name = spec.driver === 'portaudio' ? `${spec.input ?? '-'}/${spec.output ?? '-'}` : spec.driver;
    const card = new FakeCard(this, name);
    if (spec.driver === 'silence') this.plugged.add(name);
    this.cards.set(name, card);
    return card;
  }
}

const card = (input: string | null, output: string | null): AudioDeviceSpec => ({ driver: 'portaudio', input, output });
const both = (name: string) => card(name, name);

t.test('roles that name the same card share it, whichever way each uses it; others do not', async (t) => {
  const specs = { handset: both('usb'), ringer: card(null, 'usb'), speaker: both('alsa:Loud'), headset: card('usb', 'other') };
  t.match(sharedSpecs(specs), { handset: both('usb'), ringer: both('usb'), speaker: both('alsa:Loud'), headset: card('usb', 'other') });
  t.match(sharedSpecs({ ringer: card(null, 'usb'), speaker: card('usb', 'usb') }), { ringer: both('usb'), speaker: both('usb') });
  const rates = { handset: { ...both('usb'), sampleRate: 16_000 }, ringer: { ...card(null, 'usb'), frameMs: 20 } } as const;
  t.match(sharedSpecs(rates), { handset: { sampleRate: 16_000, frameMs: 20 }, ringer: { sampleRate: 16_000 } });
  const silent = { handset: { driver: 'silence' }, ringer: { driver: 'silence' } } as const;
  t.same(sharedSpecs(silent), silent);
});

t.test('one card with two roles is opened once, plays what both play, each at its own volume, and hears for both', async (t) => {
  const rig = new Rig('usb/usb');
  t.teardown(() => rig.devices.stop());
  t.same(await rig.devices.configure({ handset: both('usb'), ringer: card(null, 'usb') }), { handset: { ok: true }, ringer: { ok: true } });
  t.strictSame([...rig.cards.keys()], ['usb/usb']);
  t.equal(rig.card('usb/usb').starts, 1);
  rig.engine.device('ringer').volume = 0;
  rig.devices.use('handset');
  rig.engine.startTone({ kind: 'device', device: 'ringer' }, 'ring');
  for (let beat = 0; beat < 20; beat++) rig.card('usb/usb').beat(1000);
  t.ok(
    rig.card('usb/usb').played.every((sample) => sample === 0),
    'a bell at volume 0',
  );
  t.ok(rig.card('usb/usb').played.length >= 19, `one frame out for one in: ${rig.card('usb/usb').played.length}`);
  rig.engine.startTone({ kind: 'device', device: 'handset' }, 'dial');
  for (let beat = 0; beat < 20; beat++) rig.card('usb/usb').beat(1000);
  t.ok(
    rig.card('usb/usb').played.some((sample) => sample !== 0),
    'the other role is heard',
  );
  t.equal(rig.ticks, 40, 'one of the two paces');
});

t.test('a card that goes gives way to the next best and takes its place again; what became of it is told', async (t) => {
  const rig = new Rig('usb/usb', 'loud/loud');
  t.teardown(() => rig.devices.stop());
  await rig.devices.configure({ handset: both('usb'), ringer: { driver: 'silence' }, speaker: both('loud') });
  rig.devices.use('handset');
  for (const name of ['usb/usb', 'loud/loud']) rig.card(name).beat();
  t.match(rig.devices.describe(), { pacing: 'handset' });
  rig.plugged.delete('usb/usb');
  rig.card('usb/usb').pull();
  t.match(rig.changes, [{ role: 'handset', ok: false, reason: 'unplugged', standIn: 'speaker' }], 'at once');
  t.match(rig.devices.describe(), { pacing: 'speaker', devices: { handset: { ok: false, standIn: 'speaker' } } });
  rig.engine.startTone({ kind: 'device', device: 'handset' }, 'dial');
  for (let beat = 0; beat < 20; beat++) rig.card('loud/loud').beat(500);
  t.ok(
    rig.card('loud/loud').played.some((sample) => sample !== 0),
    'heard there',
  );
  rig.plugged.add('usb/usb');
  rig.seen = 'a card has come';
  const came = performance.now();
  await rig.told('handset', true);
  t.ok(performance.now() - came < 2_000, `back after ${Math.round(performance.now() - came)} ms`);
  rig.card('usb/usb').beat();
  t.match(rig.devices.describe(), { pacing: 'handset', devices: { handset: { ok: true, standIn: undefined } } });
  rig.card('loud/loud').played = [];
  for (let beat = 0; beat < 20; beat++) {
    rig.card('usb/usb').beat();
    rig.card('loud/loud').beat();
  }
  t.ok(
    rig.card('usb/usb').played.some((sample) => sample !== 0),
    'the tone is where it belongs',
  );
  t.ok(
    rig.card('loud/loud').played.every((sample) => sample === 0),
    'and only there',
  );
});

t.test('who helps out may go too, then another, then nobody; the bell rings in no ear', async (t) => {
  const rig = new Rig('a/a', 'b/b', 'c/c');
  t.teardown(() => rig.devices.stop());
  await rig.devices.configure({ handset: both('a'), ringer: card(null, 'd'), speaker: both('b'), headset: both('c') });
  const standIn = (role: string) => (rig.devices.describe().devices[role] as DeviceHealth).standIn;
  t.equal(standIn('ringer'), 'speaker', 'a bell whose card has never been there rings at the loudspeaker');
  for (const [pulled, handset, ringer] of [
    ['a/a', 'headset', 'speaker'],
    ['c/c', 'speaker', 'speaker'],
    ['b/b', undefined, undefined],
  ] as const) {
    rig.plugged.delete(pulled);
    rig.card(pulled).pull();
    t.strictSame([standIn('handset'), standIn('ringer')], [handset, ringer], `without ${pulled}`);
  }
  rig.engine.startTone({ kind: 'device', device: 'handset' }, 'dial');
  const before = rig.ticks;
  while (rig.ticks < before + 10) await new Promise((resolve) => setTimeout(resolve, 20));
  t.pass('without any card the clock goes on');
  rig.plugged.add('b/b');
  rig.seen = 'b';
  await rig.told('speaker', true);
  t.strictSame([standIn('handset'), standIn('headset')], ['speaker', 'speaker'], 'the first that is back helps all');
});

t.test('without a change of the cards what is missing is tried again all the same', async (t) => {
  const rig = new Rig();
  t.teardown(() => rig.devices.stop());
  t.match(await rig.devices.configure({ handset: both('pcm') }), { handset: { ok: false, reason: /there is no sound output/ } });
  rig.plugged.add('pcm/pcm');
  await rig.told('handset', true);
  t.equal(rig.devices.deviceOf('handset')?.identity, 'pcm/pcm');
  t.same(await rig.devices.configure({ handset: { driver: 'silence' } }), { handset: { ok: true } });
  t.same(await rig.devices.configure({}), {});
  t.equal(rig.devices.deviceOf('handset'), undefined);
});

t.test('a device is tested by a tone and its microphone; the list says who uses what; what cannot be tested is refused', async (t) => {
  const rig = new Rig('usb/usb');
  t.teardown(() => rig.devices.stop());
  const entry = { wish: 'usb:0d8c:0014', name: 'USB', inputChannels: null, outputChannels: null, sampleRate: null, rates: [48_000] };
  const check = new SoundCheck({ engine: rig.engine, devices: rig.devices, list: async () => [entry, { ...entry, wish: 'alsa:other' }] });
  await rig.devices.configure({ handset: both('usb'), ringer: { driver: 'silence' }, headset: both('gone') });
  t.match(await check.list(), [
    { wish: 'usb:0d8c:0014', inputChannels: 1, outputChannels: 2, sampleRate: 8000, usedBy: ['handset'] },
    { wish: 'alsa:other', inputChannels: null, sampleRate: null, usedBy: [] },
  ]);
  await t.rejects(check.test('ringer'), { code: 'no-sound-device', message: /no device is set up, see audio\.ringer\.driver/ });
  await t.rejects(check.test('kitchen'), { code: 'unknown-device' });
  // Its microphone hears its loudspeaker, softly, and a room of -60 dBFS.
  const usb = rig.card('usb/usb');
  const beat = setInterval(() => usb.beat(usb.played.at(-1) ? 3000 : 30), 10);
  t.teardown(() => clearInterval(beat));
  const testing = check.test('headset');
  await t.rejects(check.test('handset'), { code: 'in-test' });
  const { device, quiet, duringTone, loudest } = await testing;
  t.equal(device, 'usb:0d8c:0014', 'the one that helps out for a headset that is gone');
  t.match([quiet, duringTone], [-61, -21]);
  t.ok(typeof loudest === 'number' && loudest <= -21);
  rig.engine.openSession('call');
  await t.rejects(check.test('handset'), { code: 'in-call' });
});
