import t from 'tap';
import { align } from '#firmware/audio/correlation.ts';
import { levelOf } from '#firmware/audio/pcm.ts';
import { Resampler } from '#firmware/audio/resampler.ts';
import type { LegCodec } from '#firmware/media/media-session.ts';
import { SoundDevice } from '#firmware/media/sound-device.ts';
import { emptyRtpPacketView, parseRtpPacket } from '#firmware/rtp/packet.ts';
import { seededRandom } from '#test/support/seeded-entropy.ts';
import { legTowards, SimulatedCall, SimulatedHandset, SimulatedMedia } from '#test/support/simulated-rtp.ts';
import { powerAt, sine } from '../audio/sound-fixtures.ts';
import { rtpPacket } from '../rtp/rtp-fixtures.ts';

const pcmu: LegCodec = { name: 'PCMU', send: 0, receive: 0 };
const g722: LegCodec = { name: 'G722', send: 9, receive: 9 };
const l16: LegCodec = { name: 'L16', send: 98, receive: 98 };

/** Noise that no stretch of itself resembles. */
function noise(seed: number, seconds: number, rate: number): Int16Array {
  const random = seededRandom(seed);
  let value = 0;
  return Int16Array.from({ length: seconds * rate }, () => {
    value = value * 0.7 + (random() - 0.5) * 8000;
    return Math.round(value);
  });
}

function callBetween(a: SimulatedHandset, b: SimulatedHandset): SimulatedCall {
  return new SimulatedCall(3, new SimulatedMedia(11, a), new SimulatedMedia(12, b));
}

function resampled(samples: Int16Array, from: number, to: number): Int16Array {
  const output = new Int16Array((samples.length * to) / from);
  new Resampler(from, to).process(samples, samples.length, output);
  return output;
}

t.test('G.722 between devices of 16 kHz: what lies above 4 kHz arrives, at every ptime', async (t) => {
  for (const ptime of [10, 20, 30, 40, 60]) {
    const said = noise(5, 2, 16_000);
    const ear = new SimulatedHandset(new Int16Array(0), 16_000);
    const call = callBetween(new SimulatedHandset(said, 16_000), ear);
    call.connect({ codecs: [g722], ptime }).run(2400);
    const { correlation } = align(said.subarray(8000, 24_000), ear.recording.subarray(8000, 28_000), 4000);
    t.ok(correlation > 0.97, `${ptime} ms: correlation ${correlation.toFixed(4)}`);
    t.equal(call.b.session.statistics().concealedMs, 0);
  }
  const tone = sine(6000, 16_000, 2);
  for (const [codec, least] of [
    [g722, -8],
    [pcmu, -200],
  ] as const) {
    const ear = new SimulatedHandset(new Int16Array(0), 16_000);
    callBetween(new SimulatedHandset(tone, 16_000), ear)
      .connect({ codecs: [codec] })
      .run(2000);
    const power = powerAt(ear.recording.subarray(16_000, 28_000), 6000, 16_000);
    t.ok(codec === g722 ? power > least : power < -60, `${codec.name}: 6 kHz at ${power.toFixed(0)} dB`);
  }
});

t.test(
  'devices of 8 to 48 kHz with frames of 10 and of 20 ms: a tone goes through whole both ways, plain and with processing',
  async (t) => {
    const voice = { echo: 'off', echoTailMs: 128, noiseSuppression: false, gainControl: false, highPass: true, sideTone: 0 } as const;
    for (const rate of [8000, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000]) {
      for (const frameMs of [10, 20]) {
        const frameSamples = (rate * frameMs) / 1000;
        if (!Number.isInteger(frameSamples)) continue;
        for (const wishes of [undefined, voice]) {
          const played: number[] = [];
          const port = { sampleRate: rate, frameSamples, play: (frame: Int16Array) => played.push(...frame) > 0 };
          const device = new SoundDevice(port, undefined, wishes && { wishes, maker: undefined });
          const block = new Int16Array(device.sampleRate / 100);
          const [into, heard] = [sine(1000, device.sampleRate, 1), [] as number[]];
          const said = sine(1000, rate, 1);
          for (let at = 0; at < 100; at++) {
            if ((at * 10) % frameMs === 0) device.capture(said.subarray((at * rate) / 100, (at * rate) / 100 + frameSamples));
            device.pull(block);
            heard.push(...block);
            block.set(into.subarray(at * block.length, (at + 1) * block.length));
            device.push(block);
          }
          const name = `${rate} Hz, ${frameMs} ms${wishes ? ', processed' : ''}`;
          const tail = (samples: number[]) => Int16Array.from(samples.slice(samples.length / 2));
          t.equal(played.length, rate, name);
          const out = powerAt(tail(played), 1000, rate) - powerAt(into, 1000, device.sampleRate);
          const back = powerAt(tail(heard), 1000, device.sampleRate) - powerAt(said, 1000, rate);
          t.ok(Math.abs(out) < 0.5 && Math.abs(back) < 0.5, `${name}: ${out.toFixed(2)} dB out, ${back.toFixed(2)} dB in`);
        }
      }
    }
  },
);

t.test('rates mix: narrow and wide devices and legs hear each other', async (t) => {
  for (const [mouthRate, earRate, codec] of [
    [8000, 16_000, g722],
    [16_000, 8000, g722],
    [16_000, 16_000, pcmu],
    [48_000, 8000, l16],
    [8000, 48_000, g722],
  ] as const) {
    const narrow = noise(6, 2, 8000);
    const said = resampled(narrow, 8000, mouthRate);
    const ear = new SimulatedHandset(new Int16Array(0), earRate);
    const call = callBetween(new SimulatedHandset(said, mouthRate), ear);
    call.connect({ codecs: [codec] }).run(2400);
    const heard = resampled(ear.recording, earRate, 8000);
    const { correlation } = align(narrow.subarray(4000, 12_000), heard.subarray(4000, 14_000), 2000);
    t.ok(correlation > 0.95, `${mouthRate} → ${codec.name} → ${earRate}: correlation ${correlation.toFixed(4)}`);
  }
});

t.test('a conference of a narrow and a wide leg on one device: both are heard, and hear each other', async (t) => {
  const device = new SimulatedHandset(new Int16Array(0), 16_000);
  const host = new SimulatedMedia(11, device);
  const narrow = new SimulatedHandset(sine(700, 8000, 3), 8000);
  const wide = new SimulatedHandset(sine(5500, 16_000, 3), 16_000);
  const first = new SimulatedCall(3, host, new SimulatedMedia(12, narrow)).connect({ codecs: [pcmu] });
  const second = host.engine.openSession('second');
  const other = new SimulatedMedia(13, wide);
  host.engine.updateSession(0, 'second', legTowards(other.address, { codecs: [g722] }));
  other.engine.updateSession(0, 'call', legTowards(host.address, { codecs: [g722] }));
  host.engine.connectSession('second', 'handset');
  for (let frame = 0; frame < 100; frame++) {
    for (const { bytes, length, rtcp } of other.session.drain())
      if (!rtcp) second.receiveRtp(first.now, bytes.slice(0, length), other.address, 4000);
    other.frame(first.now);
    first.run(20);
    for (const { bytes, length, rtcp } of second.drain())
      if (!rtcp) other.session.receiveRtp(first.now, bytes.slice(0, length), host.address, 4000);
  }
  const settled = (handset: SimulatedHandset, rate: number) => handset.recording.subarray(rate / 2);
  t.ok(powerAt(settled(device, 16_000), 700, 16_000) > -12, 'the narrow leg');
  t.ok(powerAt(settled(device, 16_000), 5500, 16_000) > -12, 'the wide leg');
  t.ok(powerAt(settled(wide, 16_000), 700, 16_000) > -12, 'the wide one hears the narrow one');
  t.ok(powerAt(settled(narrow, 8000), 2500, 8000) < -50, 'and nothing of the wide one is folded into the narrow one');
});

t.test('a codec change in the middle: no gap, no jump of the time line, late packets of the old codec are understood', async (t) => {
  const said = noise(7, 4, 16_000);
  const ear = new SimulatedHandset(new Int16Array(0), 16_000);
  const call = callBetween(new SimulatedHandset(said, 16_000), ear);
  call.connect({ codecs: [pcmu, g722] }).run(1500);
  const before = call.b.session.statistics();
  // One side is told a little sooner than the other.
  call.a.engine.updateSession(call.now, 'call', legTowards(call.b.address, { codecs: [g722, pcmu] }));
  call.run(60);
  call.b.engine.updateSession(call.now, 'call', legTowards(call.a.address, { codecs: [g722, pcmu] }));
  call.run(1440);
  call.connect({ codecs: [l16] }).run(1000);
  const { concealedMs, packetsLost, packetsRefused, packetsReceived } = call.b.session.statistics();
  t.strictSame({ concealedMs, packetsLost, packetsRefused }, { concealedMs: 0, packetsLost: 0, packetsRefused: 0 });
  t.ok(packetsReceived - before.packetsReceived >= 120);
  const words = align(said.subarray(32_000, 44_000), ear.recording.subarray(32_000, 48_000), 4000);
  t.ok(words.correlation > 0.97, `G.722 after the change: ${words.correlation.toFixed(3)}`);
  const heard = ear.recording;
  for (let start = 16_000; start < 60_000; start += 160)
    t.ok(levelOf(heard.subarray(start, start + 160)) > -60, `sound at ${start / 16} ms`);
});

t.test('RFC 3264 §6.1 payload types differ by direction', async (t) => {
  const { a, b } = callBetween(new SimulatedHandset(), new SimulatedHandset());
  a.engine.updateSession(0, 'call', legTowards(b.address, { codecs: [{ name: 'L16', send: 110, receive: 98 }] }));
  const view = emptyRtpPacketView();
  a.frame(0);
  for (const { bytes, length, rtcp } of a.session.drain()) {
    if (rtcp) continue;
    t.equal(parseRtpPacket(bytes.slice(0, length), view), undefined);
    t.strictSame([view.payloadType, view.payloadEnd - view.payloadStart], [110, 320]);
  }
  const payload = new Uint8Array(320);
  for (const [sequenceNumber, payloadType] of [
    [1, 98],
    [2, 98],
    [3, 110],
    [4, 111],
  ] as const) {
    a.session.receiveRtp(20, rtpPacket({ sequenceNumber, payloadType, payload }), b.address, 4000);
  }
  t.match(a.session.statistics(), { packetsReceived: 3, packetsRefused: 1 }, 'also the number that the peer has for itself');
});

t.test('RFC 3389 a far end that falls silent with comfort noise: the noise is heard, nothing counts as made up', async (t) => {
  const ear = new SimulatedHandset();
  const { b, a } = callBetween(new SimulatedHandset(), ear);
  b.engine.updateSession(0, 'call', legTowards(a.address, { codecs: [{ name: 'PCMU', send: 0, receive: 0 }] }));
  const loud = new Uint8Array(160).fill(0x90);
  const send = (now: number, sequenceNumber: number, timestamp: number, payloadType: number, payload: Uint8Array) =>
    b.session.receiveRtp(now, rtpPacket({ sequenceNumber, timestamp, payloadType, payload }), a.address, 4000);
  let sequence = 0;
  for (let now = 0; now < 3000; now += 20) {
    const speaks = now < 500 || now >= 2000;
    if (speaks) send(now, sequence++, now * 8, 0, loud);
    else if (now === 500) send(now, sequence++, now * 8, 13, Uint8Array.of(52, 3, 9));
    b.frame(now);
  }
  const at = (ms: number) => levelOf(ear.recording.subarray(ms * 8, (ms + 500) * 8));
  t.ok(Math.abs(at(800) + 52) < 3, `${at(800)} dBFS for −52 dBov`);
  t.ok(at(2300) > -30, 'and then the voice again');
  t.equal(b.session.statistics().concealedMs, 0);
});

t.test('L16 at 16 and 44.1 kHz: packets that fit into a datagram, and the static payload type 11 without agreement', async (t) => {
  for (const [codec, ptime, sent] of [
    [{ name: 'L16/16000', send: 97, receive: 97 }, 60, 30],
    [{ name: 'L16/44100', send: 11, receive: 11 }, 20, 10],
  ] as const) {
    const said = noise(5, 3, 16_000);
    const ear = new SimulatedHandset(new Int16Array(0), 16_000);
    const call = callBetween(new SimulatedHandset(said, 16_000), ear);
    call.connect({ codecs: [codec], ptime }).run(2400);
    t.equal(call.a.session.statistics().packetsSent, 2400 / sent, codec.name);
    const { correlation } = align(said.subarray(8000, 24_000), ear.recording.subarray(8000, 30_000), 4000);
    // The delay of 44100 Hz ends between two samples of the other.
    t.ok(correlation > 0.92, `${codec.name}: ${correlation.toFixed(3)}`);
    t.match(call.b.session.statistics(), { packetsRefused: 0, packetsLost: 0, concealedMs: 0 });
  }
});

t.test('RFC 3389 silence is described, not sent, where both agree: fewer packets, the room is heard, words are whole', async (t) => {
  const room = noise(9, 6, 8000).map((sample) => Math.round(sample / 100));
  const words = noise(10, 1, 8000);
  const said = Int16Array.from(room, (sample, index) => (index >= 24_000 && index < 32_000 ? (words[index - 24_000] ?? 0) : sample));
  const ear = new SimulatedHandset();
  const call = callBetween(new SimulatedHandset(said), ear);
  call.connect({ codecs: [pcmu], comfortNoise: true }).run(6000);
  const { packetsSent } = call.a.session.statistics();
  t.ok(packetsSent < 110, `${packetsSent} of 300 packets`);
  t.match(call.b.session.statistics(), { packetsLost: 0, packetsRefused: 0, concealedMs: 0 });
  const level = levelOf(ear.recording.subarray(12_000, 20_000));
  t.ok(Math.abs(level - levelOf(room)) < 4, `the room at ${level} dBFS`);
  const { correlation } = align(words, ear.recording.subarray(22_000, 36_000), 6000);
  t.ok(correlation > 0.97, `the words: ${correlation.toFixed(3)}`);
});

t.test('digits in the sound: sent in its place, heard at the far end once, at every rate', async (t) => {
  for (const codec of [pcmu, g722, { name: 'L16/44100', send: 11, receive: 11 } as const]) {
    const call = callBetween(new SimulatedHandset(noise(3, 4, 8000)), new SimulatedHandset());
    call.connect({ codecs: [codec], detectDigits: true }).run(300);
    for (const digit of ['1', '#', '#', 'D'] as const) call.a.engine.sendDigit('call', digit, 100, 'sound');
    call.run(1500);
    t.match(
      call.b.events,
      ['1', '#', '#', 'D'].map((digit) => ({ kind: 'digit', digit, way: 'sound' })),
      codec.name,
    );
    t.equal(call.b.events.length, 4);
    t.throws(() => call.a.engine.sendDigit('call', 'flash', 100, 'sound'), { code: 'digit-not-sent' });
  }
});
