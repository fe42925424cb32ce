import t from 'tap';
import { align } from '#firmware/audio/correlation.ts';
import { type OpusEncoding, opusSamplesIn } from '#firmware/audio/opus.ts';
import { Resampler } from '#firmware/audio/resampler.ts';
import type { LegCodec } from '#firmware/media/media-session.ts';
import { loadOpus } from '#services/media/opus-codec.ts';
import { seededRandom } from '#test/support/seeded-entropy.ts';
import { SimulatedCall, SimulatedHandset, SimulatedMedia } from '#test/support/simulated-rtp.ts';
import { readSpeech } from '../../scripts/speech.ts';

/** Opus by Debian's libopus0 between two phones in virtual time. */

const speech = readSpeech('/usr/share/asterisk/sounds/en_US_f_Allison/demo-instruct.wav');
const usual: OpusEncoding = {
  sampleRate: 16_000,
  bitrate: 24_000,
  constantBitrate: false,
  complexity: 5,
  errorCorrection: true,
  discontinuous: false,
  playbackRate: 48_000,
};
const opus = await loadOpus();

function leg(changes: Partial<OpusEncoding> = {}): LegCodec {
  return { name: 'opus', send: 96, receive: 96, encoding: { ...usual, ...changes } };
}

function resampled(samples: Int16Array, from: number, to: number): Int16Array {
  if (from === to) return samples;
  const output = new Int16Array(Math.ceil((samples.length * to) / from) + 1);
  return output.subarray(0, new Resampler(from, to).process(samples, samples.length, output));
}

function callOf(rate: number, seconds = 8) {
  const said = resampled(speech.subarray(0, seconds * 8000), 8000, rate);
  const ear = new SimulatedHandset(new Int16Array(0), rate);
  const [a, b] = [new SimulatedMedia(11, new SimulatedHandset(said, rate), undefined, opus), new SimulatedMedia(12, ear, undefined, opus)];
  return { said, ear, call: new SimulatedCall(3, a, b) };
}

t.test('RFC 6716 speech passes at 8, 16 and 48 kHz, in packets of 10 to 60 ms; of 30 ms there are none', async (t) => {
  for (const sampleRate of [8000, 16_000, 48_000] as const) {
    const { said, ear, call } = callOf(sampleRate);
    call.connect({ codecs: [leg({ sampleRate })] }).run(6000);
    const { correlation } = align(said.subarray(sampleRate, 5 * sampleRate), ear.recording.subarray(sampleRate), sampleRate / 2);
    t.ok(correlation > 0.9, `${sampleRate} Hz: ${correlation.toFixed(3)}`);
    t.match(call.b.session.statistics(), { packetsRefused: 0, packetsLost: 0, concealedMs: 0 });
  }
  for (const [ptime, sent] of [
    [10, 10],
    [30, 20],
    [40, 40],
    [60, 60],
  ] as const) {
    const { call } = callOf(16_000);
    call.connect({ codecs: [leg()], ptime }).run(1200);
    t.equal(call.a.session.statistics().packetsSent, 1200 / sent, `${ptime} ms asked for`);
  }
});

t.test('what is lost is mended by the copy in the packet behind it, better than made up', async (t) => {
  const heard = [true, false].map((errorCorrection) => {
    const { said, ear, call } = callOf(16_000, 20);
    call.network = { delayMs: 20, jitterMs: 0, loss: 0.1, duplication: 0 };
    call.connect({ codecs: [leg({ errorCorrection, bitrate: 32_000 })] }).run(18_000);
    const { concealedMs, packetsLost } = call.b.session.statistics();
    t.ok(packetsLost > 50 && Math.abs(concealedMs - 20 * packetsLost) <= 60, `${packetsLost} packets, ${concealedMs} ms`);
    return align(said.subarray(16_000, 256_000), ear.recording.subarray(16_000), 8000).correlation;
  });
  t.comment(`10 % lost: correlation ${heard[0]?.toFixed(3)} with error correction, ${heard[1]?.toFixed(3)} without`);
  t.ok((heard[0] ?? 0) > (heard[1] ?? 1));
});

t.test('silence is not sent where both agree; nothing counts as lost, and the next word is whole', async (t) => {
  const pause = new Int16Array(4 * 16_000);
  const word = resampled(speech.subarray(0, 16_000), 8000, 16_000);
  const said = Int16Array.from([...word, ...pause, ...word, ...word]);
  const ear = new SimulatedHandset(new Int16Array(0), 16_000);
  const call = new SimulatedCall(
    3,
    new SimulatedMedia(11, new SimulatedHandset(said, 16_000), undefined, opus),
    new SimulatedMedia(12, ear, undefined, opus),
  );
  call.connect({ codecs: [leg({ discontinuous: true, bitrate: 16_000 })] }).run(10_000);
  const { packetsSent } = call.a.session.statistics();
  t.ok(packetsSent < 400, `${packetsSent} of 500 packets`);
  t.match(call.b.session.statistics(), { packetsLost: 0, packetsLate: 0, concealedMs: 0 });
  const { correlation } = align(word, ear.recording.subarray(6 * 16_000 - 1600), 8000);
  t.ok(correlation > 0.8, correlation.toFixed(3));
});

t.test('RFC 7160 from G.711 to Opus and back within the call: another SSRC, not a sample lost or played twice', async (t) => {
  const { said, ear, call } = callOf(16_000, 12);
  const pcmu: LegCodec = { name: 'PCMU', send: 0, receive: 0 };
  call.connect({ codecs: [pcmu, leg()] }).run(3000);
  const before = call.a.session.describe().ssrc;
  call.connect({ codecs: [leg(), pcmu] }).run(3000);
  t.not(call.a.session.describe().ssrc, before);
  call.connect({ codecs: [pcmu, leg()] }).run(4000);
  t.match(call.b.session.statistics(), { packetsLost: 0, packetsLate: 0, packetsRefused: 0, concealedMs: 0 });
  const lags = [1, 4, 7].map((second) => {
    const part = said.subarray(second * 16_000, (second + 2) * 16_000);
    const { correlation, lag } = align(part, ear.recording.subarray(second * 16_000, (second + 3) * 16_000), 8000);
    t.ok(correlation > 0.85, `at ${second} s: ${correlation.toFixed(3)}`);
    return lag;
  });
  t.equal(lags[2], lags[0], 'the time line is the one of before, to the sample');
  t.ok(Math.abs((lags[1] ?? 0) - (lags[0] ?? 0)) <= 160, 'and with Opus later by its own delay only');
});

t.test('broken packets are refused or made up for; nothing throws', async (t) => {
  const random = seededRandom(5);
  const decoder = opus(usual).createDecoder();
  const samples = new Int16Array(6000);
  for (let round = 0; round < 3000; round++) {
    const bytes = Uint8Array.from({ length: Math.floor(random() * 80) }, () => Math.floor(random() * 256));
    const expected = decoder.samplesIn(bytes, 0, bytes.length);
    if (expected > 0 && decoder.decode(bytes, 0, bytes.length, samples, 0) !== expected) t.fail(`a packet of ${bytes.length} bytes`);
  }
  t.equal(opusSamplesIn(Uint8Array.of(0x4b), 0, 1), 0, 'a count that is not there');
  t.equal(opusSamplesIn(Uint8Array.of(0xfb, 0x3f), 0, 2), 0, 'more than 120 ms');
  t.equal(opusSamplesIn(Uint8Array.of(0x49, 1, 1), 0, 3), 1920, 'two frames of 20 ms');
  t.throws(
    () =>
      new SimulatedCall(1, new SimulatedMedia(1, new SimulatedHandset()), new SimulatedMedia(2, new SimulatedHandset())).connect({
        codecs: [leg()],
      }),
    {
      code: 'no-opus',
    },
  );
});
