import t from 'tap';
import { clamp } from '#firmware/audio/pcm.ts';
import { MediaEngine } from '#firmware/media/media-engine.ts';
import { emptyRtpPacketView, parseRtpPacket } from '#firmware/rtp/packet.ts';
import { seededEntropy, seededRandom } from '#test/support/seeded-entropy.ts';
import { legTowards, phoneSettings, SimulatedHandset } from '#test/support/simulated-rtp.ts';

const frame = 160;
const l16 = { name: 'L16', send: 96, receive: 96 } as const;

/** A far end that speaks L16, so that no sample is rounded on the way. */
class ExactPeer {
  readonly heard: number[] = [];
  readonly #ssrc: number;
  readonly #spoken: Int16Array;
  readonly #view = emptyRtpPacketView();
  #sent = 0;

  constructor(ssrc: number, spoken: Int16Array) {
    this.#ssrc = ssrc;
    this.#spoken = spoken;
  }

  packet(): Uint8Array {
    const bytes = new Uint8Array(12 + 2 * frame);
    const view = new DataView(bytes.buffer);
    view.setUint16(0, 0x8060);
    view.setUint16(2, this.#sent);
    view.setUint32(4, this.#sent * frame);
    view.setUint32(8, this.#ssrc);
    for (let index = 0; index < frame; index++) view.setInt16(12 + 2 * index, this.#spoken[this.#sent * frame + index] ?? 0);
    this.#sent++;
    return bytes;
  }

  hear(bytes: Uint8Array): void {
    if (parseRtpPacket(bytes, this.#view) !== undefined) return;
    const { payloadStart, payloadEnd } = this.#view;
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    for (let at = payloadStart; at < payloadEnd; at += 2) this.heard.push(view.getInt16(at));
  }
}

/** A phone with so many far ends, all joined with its handset. */
function conference(legs: number, seconds: number, loudness: number) {
  const random = seededRandom(5);
  const noise = (amplitude: number) => Int16Array.from({ length: seconds * 8000 }, () => Math.round((random() - 0.5) * 2 * amplitude));
  const spoken = Array.from({ length: legs }, () => noise(loudness));
  const person = noise(loudness);
  const handset = new SimulatedHandset(person);
  const engine = new MediaEngine(seededEntropy(1), 'cname', phoneSettings);
  const device = engine.addDevice('handset', handset);
  const peers = spoken.map((samples, index) => new ExactPeer(1000 + index, samples));
  peers.forEach((_, index) => {
    engine.openSession(`leg${index}`);
    engine.updateSession(0, `leg${index}`, legTowards(`192.0.2.${index + 1}`, { codecs: [l16], telephoneEvents: [] }));
    engine.connectSession(`leg${index}`, 'handset');
  });
  const run = (ms: number): void => {
    for (let passed = 0; passed < ms; passed += 20) {
      peers.forEach((peer, index) => {
        engine.session(`leg${index}`).receiveRtp(passed, peer.packet(), `192.0.2.${index + 1}`, 4000);
      });
      device.capture(handset.speak());
      engine.tick(passed);
      engine.tick(passed);
      peers.forEach((peer, index) => {
        for (const { rtcp, bytes, length } of engine.session(`leg${index}`).drain()) if (!rtcp) peer.hear(bytes.slice(0, length));
      });
    }
  };
  return { engine, handset, peers, spoken, person, run };
}

/** The sum of what was said, each by its delay in samples, at one instant. */
const sumAt = (voices: readonly { samples: Int16Array; delay: number }[], at: number) =>
  clamp(voices.reduce((sum, { samples, delay }) => sum + (samples[at - delay] ?? 0), 0));

/** By how many samples the voices come late, found in the leg that hears only one of them. */
function delayOf(heard: readonly number[], samples: Int16Array, from: number): number {
  for (let delay = 0; delay < 2000; delay++) {
    let same = true;
    for (let index = from; same && index < from + 40; index++) same = heard[index] === samples[index - delay];
    if (same) return delay;
  }
  return -1;
}

for (const loudness of [3000, 20_000]) {
  t.test(`a conference of five far ends at ±${loudness}: every ear gets the exact sum of all others, cut off at full scale`, async (t) => {
    const { handset, peers, spoken, person, run } = conference(5, 3, loudness);
    // How late voices are: measured where one alone can be heard.
    const alone = conference(1, 3, loudness);
    alone.run(1000);
    const late = delayOf(alone.handset.heard, alone.spoken[0] ?? new Int16Array(0), 4000);
    const latePerson = delayOf(alone.peers[0]?.heard ?? [], alone.person, 4000);
    t.ok(late > 0 && latePerson >= 0, `${late} samples from a far end to the ear, ${latePerson} from the mouth to a far end`);
    run(1000);
    const voices = spoken.map((samples) => ({ samples, delay: late }));
    let cut = 0;
    for (let at = 4000; at < 7000; at++) {
      const expected = sumAt(voices, at);
      if (Math.abs(expected) >= 32_767) cut++;
      if (handset.heard[at] !== expected) t.fail(`the person hears ${handset.heard[at]} instead of ${expected} at ${at}`);
    }
    t.equal(cut > 0, loudness > 10_000, `${cut} of 3000 samples cut off`);
    for (const [index, peer] of peers.entries()) {
      const others = voices.filter((_, other) => other !== index);
      const all = [...others, { samples: person, delay: latePerson }];
      const wrong = Array.from({ length: 3000 }, (_, at) => at + 4000).filter((at) => peer.heard[at] !== sumAt(all, at));
      t.equal(wrong.length, 0, `far end ${index} hears all but itself`);
    }
  });
}

t.test('a far end that is too loud is turned down for the person and all others; one that leaves is heard no more', async (t) => {
  const { engine, handset, run } = conference(2, 4, 3000);
  engine.session('leg0').level = -30;
  run(1000);
  const power = (from: number) =>
    Math.sqrt(handset.heard.slice(from).reduce((sum, sample) => sum + sample * sample, 0) / (handset.heard.length - from));
  const two = power(4000);
  t.ok(two > 1600 && two < 1900, `one voice as it was, the other 30 dB less: ${two.toFixed(0)}`);
  engine.connectSession('leg1', null);
  const before = handset.heard.length;
  run(1000);
  const one = power(before + 400);
  t.ok(one > 40 && one < 70, `the soft one is left: ${one.toFixed(0)}`);
});
