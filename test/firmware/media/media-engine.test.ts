import t from 'tap';
import { align } from '#firmware/audio/correlation.ts';
import { levelOf } from '#firmware/audio/pcm.ts';
import { Resampler } from '#firmware/audio/resampler.ts';
import { parseWav, WavReader, wavHeader } from '#firmware/audio/wav.ts';
import { MediaEngine } from '#firmware/media/media-engine.ts';
import { emptyRtpPacketView, parseRtpPacket } from '#firmware/rtp/packet.ts';
import { seededEntropy, seededRandom } from '#test/support/seeded-entropy.ts';
import { legTowards, phoneSettings, SimulatedCall, SimulatedHandset, SimulatedMedia } from '#test/support/simulated-rtp.ts';
import { powerAt, sine } from '../audio/sound-fixtures.ts';

/** Noise that rises and falls like speech; no stretch of it resembles another. */
function speech(seed: number, seconds: number, sampleRate = 8000): Int16Array {
  const random = seededRandom(seed);
  let value = 0;
  return Int16Array.from({ length: seconds * sampleRate }, (_, index) => {
    value = value * 0.8 + (random() - 0.5) * 8000;
    return Math.round(value * Math.max(0, Math.sin(index / (0.3 * sampleRate))));
  });
}

function phones(seconds: number, settings = phoneSettings) {
  const spoken = { a: speech(1, seconds), b: speech(2, seconds) };
  const handsets = { a: new SimulatedHandset(spoken.a), b: new SimulatedHandset(spoken.b) };
  const call = new SimulatedCall(3, new SimulatedMedia(11, handsets.a, settings), new SimulatedMedia(12, handsets.b, settings));
  return { call, spoken, handsets };
}

function wav(samples: Int16Array, sampleRate = 8000): WavReader {
  const bytes = new Uint8Array([...wavHeader(sampleRate, samples.length * 2), ...new Uint8Array(samples.buffer)]);
  const parsed = parseWav(bytes);
  if (parsed.outcome === 'unreadable') throw new Error(parsed.reason);
  return new WavReader(bytes, parsed.layout);
}

const laws = [{ name: 'PCMU', send: 0, receive: 0 } as const, { name: 'PCMA', send: 8, receive: 8 } as const];

t.test('two phones hear each other, with either law and every ptime', async (t) => {
  for (const codec of laws) {
    for (const ptime of [10, 20, 30, 40, 60]) {
      const { call, spoken, handsets } = phones(4);
      call.connect({ codecs: [codec], ptime }).run(4000);
      for (const [said, heard] of [
        [spoken.a, handsets.b],
        [spoken.b, handsets.a],
      ] as const) {
        const { correlation, lag } = align(said, heard.recording, 4000);
        t.ok(correlation > 0.999, `${codec.name} ${ptime} ms: correlation ${correlation.toFixed(4)}`);
        t.ok(lag <= 8 * (10 + 60 + 20 + ptime + 20), `${lag / 8} ms`);
      }
      const { packetsSent, packetsLost, concealedMs, opinionScore } = call.a.session.statistics();
      t.ok((opinionScore ?? 0) > 4.3, `sounds ${opinionScore}`);
      t.strictSame([packetsSent, packetsLost, concealedMs], [Math.floor(4000 / ptime), 0, 0]);
    }
  }
});

t.test('a bad network: speech stays in order and recognisable, what was lost is counted and made up for', async (t) => {
  const { call, spoken, handsets } = phones(12);
  call.network = { delayMs: 40, jitterMs: 60, loss: 0.05, duplication: 0.03 };
  call.connect().run(12_000);
  const statistics = call.b.session.statistics();
  t.ok(statistics.packetsLost > 5 && statistics.packetsLost < 60, `${statistics.packetsLost} lost`);
  t.ok(statistics.packetsDuplicate > 5);
  t.ok(statistics.jitterMs > 10 && statistics.jitterMs < 60, `jitter ${statistics.jitterMs} ms`);
  t.ok(statistics.concealedMs > 100 && statistics.concealedMs < 2500, `${statistics.concealedMs} ms made up`);
  t.ok(statistics.underruns > 5 && statistics.underruns * 10 <= statistics.concealedMs, `in ${statistics.underruns} gaps`);
  t.ok(statistics.jitterBufferMs <= 200);
  t.ok((statistics.opinionScore ?? 5) < 4.3, `sounds ${statistics.opinionScore}`);
  t.ok((statistics.roundTripMs ?? 0) > 80 && (statistics.roundTripMs ?? 0) < 240, `${statistics.roundTripMs} ms round trip`);
  // The last second, once the delay has settled.
  const { correlation } = align(spoken.a.subarray(72_000, 80_000), handsets.b.recording.subarray(72_000, 84_000), 4000);
  t.ok(correlation > 0.8, `correlation ${correlation.toFixed(3)}`);
});

t.test('RFC 3264 §6.1 digits arrive on our number, and on the peer’s own where it uses that both ways', async (t) => {
  for (const used of [101, 97]) {
    const [a, b] = [new SimulatedMedia(1, new SimulatedHandset()), new SimulatedMedia(2, new SimulatedHandset())];
    const call = new SimulatedCall(1, a, b).connect();
    b.engine.updateSession(0, 'call', legTowards(a.address, { telephoneEvents: [{ send: 97, receive: 101, clockRate: 8000 }] }));
    a.engine.updateSession(0, 'call', legTowards(b.address, { telephoneEvents: [{ send: used, receive: 97, clockRate: 8000 }] }));
    call.run(200);
    a.engine.sendDigit('call', '5', 80);
    call.run(400);
    t.match(b.events, [{ kind: 'digit', digit: '5' }], `on ${used}`);
  }
});

t.test('digits cross a network that loses a fifth of all packets: each exactly once, and the key is heard by who presses', async (t) => {
  const { call, handsets } = phones(0);
  call.network = { delayMs: 30, jitterMs: 40, loss: 0.2, duplication: 0.1 };
  call.connect().run(400);
  const pressed = ['1', '2', '3', '*', '#', '0', '0', 'flash'] as const;
  for (const digit of pressed) call.a.engine.sendDigit('call', digit, 120);
  call.run(4000);
  const digits = call.b.events.flatMap((event) => (event.kind === 'digit' ? [event.digit] : []));
  t.strictSame(digits, pressed);
  const before = handsets.a.heard.length;
  call.a.engine.sendDigit('call', '5', 120);
  call.a.engine.playKey('handset', '5', 120);
  call.run(300);
  t.ok(powerAt(handsets.a.recording.subarray(before + 160, before + 800), 770, 8000) > -25, 'a key tone in the ear');
  t.equal(call.b.session.statistics().digitsReceived, pressed.length + 1);
});

t.test('hold: the held leg sends nothing, is no silence alarm, and comes back with its SSRC', async (t) => {
  const { call, spoken, handsets } = phones(8);
  call.connect().run(2000);
  const before = call.b.session.statistics().packetsReceived;
  call.a.engine.updateSession(call.now, 'call', legTowards(call.b.address, { direction: 'inactive' }));
  call.b.engine.updateSession(call.now, 'call', legTowards(call.a.address, { direction: 'inactive' }));
  call.run(1000);
  t.ok(call.b.session.statistics().packetsReceived - before <= 1);
  call.connect().run(5000);
  t.equal(call.b.session.describe().counters['rtp-source-changed'], undefined);
  const { correlation } = align(spoken.a.subarray(32_000, 56_000), handsets.b.recording.subarray(32_000, 60_000), 4000);
  t.ok(correlation > 0.99, `after the hold: ${correlation.toFixed(4)}`);
});

t.test('silence from a peer that should speak is told once, and again after it was heard', async (t) => {
  const { call } = phones(0);
  call.connect().run(1000);
  call.network = { delayMs: 0, jitterMs: 0, loss: 1, duplication: 0 };
  call.run(12_000);
  const silences = () => call.a.events.filter(({ kind }) => kind === 'rtpSilence').length;
  t.equal(silences(), 1);
  call.network = { delayMs: 0, jitterMs: 0, loss: 0, duplication: 0 };
  call.run(1000);
  call.network = { delayMs: 0, jitterMs: 0, loss: 1, duplication: 0 };
  call.run(6000);
  t.equal(silences(), 2);
});

t.test('tones and files at a device and into a call: rates, repeats and gaps, ends that are told', async (t) => {
  const { call, handsets } = phones(0);
  call.connect().run(100);
  const target = { kind: 'session', session: 'call' } as const;
  call.a.engine.startPlayback('alert', target, wav(sine(1000, 16_000, 0.5), 16_000), 2, 300);
  call.a.engine.startTone({ kind: 'device', device: 'handset' }, 'dial');
  call.run(2000);
  t.strictSame(call.a.events, [{ kind: 'playbackEnded', playback: 'alert', completed: true }]);
  const heard = handsets.b.recording;
  const loud = Array.from({ length: 100 }, (_, block) => levelOf(heard.subarray(block * 160, block * 160 + 160)) > -20);
  const sounding = loud.filter(Boolean).length;
  t.ok(sounding >= 50 && sounding <= 53, `${sounding * 20} ms of two times 500 ms`);
  const from = loud.indexOf(true);
  t.strictSame([loud[from + 23], loud[from + 28], loud[from + 37], loud[from + 43]], [true, false, false, true], 'with a gap between');
  t.ok(powerAt(heard.subarray((from + 2) * 160, (from + 20) * 160), 1000, 8000) > -8);
  t.ok(powerAt(handsets.a.recording.subarray(4000, 12_000), 425, 8000) > -15, 'dial tone in the handset');
  t.ok(powerAt(handsets.a.recording.subarray(4000, 12_000), 1000, 8000) < -60, 'but not the alert');

  call.a.engine.startPlayback('loop', target, wav(sine(500, 8000, 0.1)), 0, 0);
  call.a.engine.stopTone({ kind: 'device', device: 'handset' });
  call.run(3000);
  call.a.engine.stopPlayback('loop');
  call.a.engine.stopPlayback('never started');
  call.run(20);
  t.strictSame(call.a.events.slice(1), [{ kind: 'playbackEnded', playback: 'loop', completed: false }]);
  t.equal(levelOf(handsets.a.recording.slice(-160)), -96);
});

t.test('mute and volume hold for the device, also when another takes its place', async (t) => {
  const { call, spoken, handsets } = phones(3);
  call.connect();
  call.a.engine.device('handset').muted = true;
  call.run(1000);
  t.equal(levelOf(handsets.b.recording), -96);
  t.ok(levelOf(handsets.a.recording.subarray(2000)) > -40);
  call.a.engine.device('handset').volume = 60;
  const replacement = new SimulatedHandset();
  call.a.engine.addDevice('handset', replacement);
  call.run(1000);
  const { correlation, lag } = align(spoken.b, replacement.recording, 20_000);
  t.ok(correlation > 0.99, 'still joined with the call');
  const level = levelOf(replacement.recording) - levelOf(spoken.b.subarray(-lag, -lag + replacement.heard.length));
  t.ok(Math.abs(level + 10) < 0.5, `20 points are ${level.toFixed(1)} dB`);
  t.equal(levelOf(handsets.b.recording.slice(-4000)), -96, 'still muted');
});

t.test('a device of another rate is resampled both ways', async (t) => {
  const low = speech(6, 3);
  for (const rate of [16_000, 44_100, 48_000]) {
    const said = speech(5, 3, rate);
    const card = new SimulatedHandset(said, rate);
    const other = new SimulatedHandset(low);
    new SimulatedCall(1, new SimulatedMedia(21, card), new SimulatedMedia(22, other)).connect().run(3000);
    t.equal(card.heard.length, 3 * rate);
    t.equal(other.heard.length, 3 * 8000);
    // Speech above 4 kHz is gone, so it is compared at the lower rate.
    for (const [high, plain, name] of [
      [said, other.recording, 'microphone'],
      [card.recording, low, 'loudspeaker'],
    ] as const) {
      const reduced = new Int16Array(3 * 8000 + 1);
      new Resampler(rate, 8000).process(high, high.length, reduced);
      const { correlation } = align(reduced.subarray(0, 24_000), plain, 4000);
      // The delay of 44100 Hz ends between two samples of the other.
      t.ok(correlation > (rate === 44_100 ? 0.95 : 0.99), `${rate} Hz, ${name}: ${correlation.toFixed(4)}`);
    }
  }
});

t.test('call waiting: one leg is heard, the other hears nothing; joined both talk to each other', async (t) => {
  const engine = new MediaEngine(seededEntropy(1), 'c', phoneSettings);
  const handset = new SimulatedHandset(sine(300, 8000, 5, 0.2));
  const device = engine.addDevice('handset', handset);
  const legs = ['one', 'two'].map((name, index) => {
    const session = engine.openSession(name);
    const address = `198.51.100.${index}`;
    engine.updateSession(0, name, legTowards(address));
    const peer = new SimulatedMedia(31 + index, new SimulatedHandset(sine(900 + 900 * index, 8000, 5, 0.2)));
    peer.engine.updateSession(0, 'call', legTowards('192.0.2.100'));
    return { name, session, address, peer };
  });
  let now = 0;
  const run = (milliseconds: number) => {
    for (const end = now + milliseconds; now < end; now += 20) {
      device.capture(handset.speak());
      engine.tick(now);
      engine.tick(now);
      for (const { session, address, peer } of legs) {
        peer.frame(now);
        for (const { bytes, length, rtcp } of session.drain())
          if (!rtcp) peer.session.receiveRtp(now, bytes.slice(0, length), '192.0.2.100', 4000);
        for (const { bytes, length, rtcp } of peer.session.drain())
          if (!rtcp) session.receiveRtp(now, bytes.slice(0, length), address, 4000);
      }
    }
  };
  const heardAt = (index: number) => (legs[index]?.peer.engine.describe().devices.handset?.levelOut ?? -96) > -30;
  const inHandset = (frequency: number) => powerAt(handset.recording.slice(-4000), frequency, 8000) > -20;
  engine.connectSession('one', 'handset');
  run(1000);
  t.strictSame([inHandset(900), inHandset(1800), heardAt(0), heardAt(1)], [true, false, true, false]);
  engine.connectSession('one', null);
  engine.connectSession('two', 'handset');
  run(1000);
  t.strictSame([inHandset(900), inHandset(1800), heardAt(0), heardAt(1)], [false, true, false, true]);
  engine.connectSession('one', 'handset');
  run(1000);
  t.strictSame([inHandset(900), inHandset(1800), heardAt(0), heardAt(1)], [true, true, true, true]);
  t.strictSame(engine.describe().route, {
    'device:handset': ['session:two', 'session:one'],
    'session:one': ['device:handset', 'session:two'],
    'session:two': ['device:handset', 'session:one'],
  });
  engine.closeSession(now, 'two');
  t.strictSame(engine.describe().route, { 'device:handset': ['session:one'], 'session:one': ['device:handset'] });
  engine.removeDevice('handset');
  t.strictSame(engine.describe().route, { 'session:one': [] });
});

t.test('what cannot be is refused with a word for programs', async (t) => {
  const engine = new MediaEngine(seededEntropy(1), 'c', phoneSettings);
  const session = { kind: 'session', session: 'x' } as const;
  t.throws(() => engine.connectSession('x', null), { code: 'unknown-session' });
  t.throws(() => engine.startTone({ kind: 'device', device: 'x' }, 'dial'), { code: 'unknown-device' });
  t.throws(() => engine.startPlayback('p', session, wav(sine(1, 8000, 0.1)), 1, 0), { code: 'unknown-session' });
  engine.openSession('x');
  t.throws(() => engine.openSession('x'), { code: 'session-exists' });
  t.throws(() => engine.connectSession('x', 'nowhere'), { code: 'unknown-device' });
  t.throws(() => engine.sendDigit('x', '1', 100), { code: 'digit-not-sent' });
  t.throws(() => engine.startPlayback('p', session, wav(new Int16Array(9), 8001), 1, 0), { code: 'unsupported-rate' });
  t.equal(engine.closeSession(0, 'unknown'), undefined);
  for (let index = 0; index < 64; index++) engine.startPlayback(`p${index}`, session, wav(sine(1, 8000, 0.1)), 0, 0);
  t.throws(() => engine.startPlayback('p64', session, wav(sine(1, 8000, 0.1)), 0, 0), { code: 'too-many-playbacks' });
});

t.test('a device on a clock of its own: a few frames wait, none for ever', async (t) => {
  const engine = new MediaEngine(seededEntropy(1), 'c', phoneSettings);
  const speaker = engine.addDevice('speaker', new SimulatedHandset());
  for (let frame = 0; frame < 10; frame++) speaker.capture(new Int16Array(160).fill(frame));
  t.equal(speaker.describe().capturedSamples, 480, '60 ms at most');
  t.equal(speaker.describe().blocksDropped, 14);
  for (let block = 0; block < 10; block++) engine.tick(0);
  t.equal(speaker.describe().blocksMissed, 4);
});

t.test('the RTP of a leg keeps the beat whatever the ptime: timestamps are continuous', async (t) => {
  const { call } = phones(0);
  call.connect({ ptime: 30 });
  const view = emptyRtpPacketView();
  const stamps: number[] = [];
  for (let now = 0; now < 3000; now += 20) {
    call.a.frame(now);
    for (const { bytes, length, rtcp } of call.a.session.drain()) {
      if (!rtcp && parseRtpPacket(bytes.subarray(0, length), view) === undefined) stamps.push(view.timestamp);
    }
  }
  t.equal(stamps.length, 100);
  t.ok(stamps.every((stamp, index) => index === 0 || stamp - (stamps[index - 1] ?? 0) === 240 || stamp < 240));
});
