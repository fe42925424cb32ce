import t from 'tap';
import { MediaSession } from '#firmware/media/media-session.ts';
import type { JitterBufferLimits } from '#firmware/rtp/jitter-buffer.ts';
import { writeRtpHeader } from '#firmware/rtp/packet.ts';
import { ImpairedWay, type Impairment } from '#test/support/impaired-way.ts';
import { seededEntropy, seededRandom } from '#test/support/seeded-entropy.ts';
import { legTowards } from '#test/support/simulated-rtp.ts';

/**
 * One direction of a call over bad networks, in virtual time. Every packet is a level of its own, so what comes out tells which packets were
 * heard, and when; that is held against what the session says of itself.
 */

const defaults: JitterBufferLimits = { minimum: 10, start: 10, maximum: 200 };
const peer = '192.0.2.9';
const packetSamples = 160;
/** Levels repeat after so many packets. */
const levels = 500;
/** So long a level has to last to be a packet and not a glide from one to the next. */
const plateau = 8;
/** Packets at both ends that nothing happens to: the count begins with the first and ends with the last that came. */
const calm = 50;
const quiet: Impairment = { delayMs: 10, jitterMs: 0, loss: 0, duplication: 0 };

const levelOf = (packet: number) => 1000 + 60 * (packet % levels);

interface Outcome {
  readonly statistics: ReturnType<MediaSession['statistics']>;
  readonly sent: number;
  readonly lost: number;
  readonly copied: number;
  /** Packets of which something was heard. */
  readonly heard: number;
  /** Of the network's own delay and ours, ms, of the packet that waited longest once the first second was over. */
  readonly longestMs: number;
  /** The delay that the session itself said it has, at most. */
  readonly deepestMs: number;
  /** Sound that the lengths of the gaps give when each is made up for at most 60 ms. */
  readonly gapsMs: number;
}

/** Sends for `seconds` by a crystal `ppm` quicker than ours. */
function listen(network: Impairment, seconds: number, limits = defaults, ppm = 0): Outcome {
  const session = new MediaSession(seededEntropy(1), 'cname', limits);
  session.update(0, legTowards(peer, { codecs: [{ name: 'L16', send: 97, receive: 97 }] }));
  const way = new ImpairedWay(seededRandom(2611));
  const ear = new Ear();
  const packet = new Uint8Array(12 + 2 * packetSamples);
  const period = 20 / (1 + ppm / 1e6);
  const count = Math.floor((seconds * 1000) / period);
  const flying: { readonly at: number; readonly sequence: number }[] = [];
  const block = new Int16Array(80);
  let [sent, inRow, gapsMs, deepestMs] = [0, 0, 0, 0];
  for (let now = 0; now < seconds * 1000 + 1000; now += 10) {
    for (; sent < count && sent * period <= now; sent++) {
      const isCalm = sent < calm || sent >= count - calm;
      const arrivals = way.carry(sent * period, isCalm ? quiet : network);
      if (arrivals.length === 0) inRow++;
      else {
        gapsMs += Math.min(60, 20 * inRow);
        inRow = 0;
      }
      flying.push(...arrivals.map((at) => ({ at, sequence: sent })));
    }
    flying.sort((a, b) => a.at - b.at);
    for (let next = flying[0]; next && next.at <= now; next = flying[0]) {
      flying.shift();
      writeRtpHeader(packet, next.sequence === 0, 97, next.sequence & 0xffff, (next.sequence * packetSamples) >>> 0, 77);
      const level = levelOf(next.sequence);
      for (let index = 12; index < packet.length; index += 2) {
        packet[index] = level >> 8;
        packet[index + 1] = level & 0xff;
      }
      session.receiveRtp(next.at, packet, peer, 4000);
    }
    const audible = session.pull(block);
    session.moved(now);
    session.drain();
    if (audible) ear.hear(now, block, period);
    deepestMs = Math.max(deepestMs, session.statistics().jitterBufferMs);
  }
  const { lost, copied } = way;
  return { statistics: session.statistics(), sent: count, lost, copied, ...ear.found, deepestMs, gapsMs };
}

/** Recognises packets by their levels. */
class Ear {
  #heard = 0;
  #last = -1;
  #longestMs = 0;
  #run = 0;
  #before = 0;

  get found() {
    return { heard: this.#heard, longestMs: this.#longestMs };
  }

  /** A block that is played from `now` on. */
  hear(now: number, block: Int16Array, period: number): void {
    for (const [index, sample] of block.entries()) {
      this.#run = sample === this.#before ? this.#run + 1 : 1;
      this.#before = sample;
      if (this.#run === plateau) this.#recognise(now + (index - plateau + 1) / 8, sample, period);
    }
  }

  #recognise(at: number, level: number, period: number): void {
    const place = (level - 1000) / 60;
    if (!Number.isInteger(place) || place < 0 || place >= levels) return;
    const newest = Math.floor(at / period);
    const packet = newest - ((((newest - place) % levels) + levels) % levels);
    // Made-up sound goes on with the level of the packet before.
    if (packet <= this.#last) return;
    this.#last = packet;
    this.#heard++;
    if (packet >= calm) this.#longestMs = Math.max(this.#longestMs, at - packet * period);
  }
}

/** The voice breaks off at the end, which nobody can know for a loss: so much is made up then. */
const farewellMs = 60;
/** What a buffer at its greatest delay still takes in before the oldest sound goes: two packets, and the one that is being played. */
const overflowMs = 60;

/** What the session says of loss, duplicates, late packets and delay is what happened. */
function isTrue(t: Tap, name: string, network: Impairment, outcome: Outcome, limits = defaults): void {
  const { statistics, sent, lost, copied, heard, longestMs, deepestMs } = outcome;
  const { packetsLost, packetsDuplicate, packetsLate, packetsReceived, packetsRefused } = statistics;
  t.strictSame(
    { packetsLost, packetsDuplicate, packetsReceived, packetsRefused },
    { packetsLost: lost, packetsDuplicate: copied, packetsReceived: sent - lost + copied, packetsRefused: 0 },
    name,
  );
  // A short rest of one that overtook another may be left out with what is left out to shorten the delay.
  const unheard = sent - lost - packetsLate - heard;
  t.ok(unheard >= 0 && unheard <= sent / 200, `${name}: ${packetsLate} late; of the others ${unheard} not heard`);
  t.ok(deepestMs <= limits.maximum + overflowMs, `${name}: at most ${deepestMs} ms held back`);
  const most = network.delayMs + limits.maximum + overflowMs + 20;
  t.ok(longestMs <= most, `${name}: at most ${Math.round(longestMs)} ms from mouth to ear`);
}
type Tap = { ok(value: boolean, text: string): unknown; strictSame(found: object, wanted: object, text: string): unknown };

t.test('loss, each packet for itself and in bursts: counted to the packet, made up for to the millisecond, no more delay', async (t) => {
  for (const loss of [0, 0.01, 0.03, 0.05, 0.1]) {
    for (const burst of [undefined, 2, 4]) {
      const network = { ...quiet, loss, ...(burst !== undefined && { burst }) };
      const outcome = listen(network, 60);
      const name = `${100 * loss} % lost${burst === undefined ? '' : ` in bursts of ${burst}`}`;
      isTrue(t, name, network, outcome);
      const { packetsLate, concealedMs } = outcome.statistics;
      t.strictSame({ packetsLate, concealedMs }, { packetsLate: 0, concealedMs: outcome.gapsMs + farewellMs }, `${name}: made up`);
      t.ok(outcome.longestMs <= 40, `${name}: ${outcome.longestMs} ms from mouth to ear, 10 of them in the network`);
    }
  }
});

t.test('jitter of 20 to 100 ms, from a start at 10 ms: few packets late, the delay follows and stays within the setting', async (t) => {
  for (const jitterMs of [20, 50, 80, 100]) {
    for (const queued of [true, false]) {
      const network = { ...quiet, jitterMs, queued };
      const outcome = listen(network, 60);
      const name = `${jitterMs} ms${queued ? '' : ', out of order'}`;
      isTrue(t, name, network, outcome);
      const { packetsLate, concealedMs, underruns } = outcome.statistics;
      t.ok(packetsLate <= 3, `${name}: ${packetsLate} of ${outcome.sent} late`);
      // What the delay grew by from its start is waited for once.
      t.ok(concealedMs - farewellMs <= jitterMs + 40, `${name}: ${concealedMs - farewellMs} ms made up`);
      t.ok(underruns <= 10, `${name}: ${underruns} gaps`);
      t.ok(outcome.deepestMs <= jitterMs + 25, `${name}: ${outcome.deepestMs} ms held back`);
    }
  }
});

t.test('a setting below the jitter bounds the delay: sound is made up instead, and said to be', async (t) => {
  const limits = { minimum: 10, start: 10, maximum: 40 };
  for (const queued of [true, false]) {
    const network = { ...quiet, jitterMs: 100, queued };
    const outcome = listen(network, 60, limits);
    isTrue(t, queued ? 'in order' : 'out of order', network, outcome, limits);
    t.ok(outcome.statistics.concealedMs > 500, `${outcome.statistics.concealedMs} ms made up`);
  }
});

t.test('packets overtaken or doubled are put in order and played once', async (t) => {
  for (const [name, network] of [
    ['5 % overtaken', { ...quiet, reordering: 0.05 }],
    ['20 % overtaken', { ...quiet, reordering: 0.2 }],
    ['10 % twice', { ...quiet, duplication: 0.1 }],
    ['all of them twice', { ...quiet, duplication: 1 }],
    ['all at once', { delayMs: 10, jitterMs: 60, loss: 0.05, burst: 2, reordering: 0.02, duplication: 0.05 }],
  ] as const) {
    const outcome = listen(network, 60);
    isTrue(t, name, network, outcome);
    t.ok(outcome.statistics.packetsLate <= outcome.sent / 100, `${name}: ${outcome.statistics.packetsLate} late`);
  }
});

t.test('an hour with a sender 200 ppm off on a bad network: no gap but those of lost packets, the delay does not wander', async (t) => {
  const network = { ...quiet, jitterMs: 8, queued: true, loss: 0.01 };
  for (const ppm of [200, -200]) {
    const outcome = listen(network, 3600, defaults, ppm);
    isTrue(t, `${ppm} ppm`, network, outcome);
    const { packetsLate, concealedMs } = outcome.statistics;
    t.strictSame(
      { packetsLate, concealedMs },
      { packetsLate: 0, concealedMs: outcome.gapsMs + farewellMs },
      `${ppm} ppm: nothing else is made up`,
    );
    t.ok(
      outcome.deepestMs <= 30 && outcome.longestMs <= 60,
      `${outcome.deepestMs} ms held back, ${outcome.longestMs} ms from mouth to ear`,
    );
  }
});
