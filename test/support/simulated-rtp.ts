import type { OpusMaker } from '#firmware/audio/opus.ts';
import { MediaEngine, type MediaEvent, type MediaSettings } from '#firmware/media/media-engine.ts';
import type { LegParameters, MediaSession } from '#firmware/media/media-session.ts';
import type { PlaybackPort } from '#firmware/media/sound-device.ts';
import { ImpairedWay, type Impairment } from './impaired-way.ts';
import { seededEntropy, seededRandom } from './seeded-entropy.ts';

const perfectNetwork: Impairment = { delayMs: 10, jitterMs: 0, loss: 0, duplication: 0 };

export const phoneSettings: MediaSettings = { country: 'de', jitterBuffer: { minimum: 20, start: 60, maximum: 200 }, silenceSeconds: 5 };

/** A handset whose microphone and loudspeaker are arrays. */
export class SimulatedHandset implements PlaybackPort {
  readonly sampleRate: number;
  readonly frameSamples: number;
  readonly heard: number[] = [];
  readonly #speech: Int16Array;
  #spoken = 0;

  constructor(speech: Int16Array = new Int16Array(0), sampleRate = 8000) {
    this.#speech = speech;
    this.sampleRate = sampleRate;
    this.frameSamples = sampleRate / 50;
  }

  play(frame: Int16Array): boolean {
    this.heard.push(...frame);
    return true;
  }

  /** The next 20 ms of the microphone. */
  speak(): Int16Array {
    const frame = new Int16Array(this.frameSamples);
    frame.set(this.#speech.subarray(this.#spoken, this.#spoken + this.frameSamples));
    this.#spoken += this.frameSamples;
    return frame;
  }

  get recording(): Int16Array {
    return Int16Array.from(this.heard);
  }
}

/** A phone's media side: an engine with a handset and one leg, `call`, joined with it. */
export class SimulatedMedia {
  readonly engine: MediaEngine;
  readonly events: MediaEvent[] = [];
  readonly session: MediaSession;
  readonly address: string;
  readonly #handset: SimulatedHandset;
  #device: { capture(frame: Int16Array): void };

  constructor(seed: number, handset: SimulatedHandset, settings = phoneSettings, opus?: OpusMaker) {
    this.address = `192.0.2.${seed}`;
    this.#handset = handset;
    this.engine = new MediaEngine(seededEntropy(seed), `cname-${seed}`, settings);
    this.engine.opus = opus;
    this.#device = this.engine.addDevice('handset', handset);
    this.session = this.engine.openSession('call');
    this.engine.connectSession('call', 'handset');
  }

  /** Another node of the engine hears the microphone. */
  useDevice(device: { capture(frame: Int16Array): void }): void {
    this.#device = device;
  }

  /** 20 ms: the microphone is heard, two blocks move. */
  frame(now: number): void {
    this.#device.capture(this.#handset.speak());
    this.engine.tick(now);
    this.engine.tick(now);
    this.events.push(...this.engine.drain());
  }
}

/** The parameters of a leg towards `address`. */
export function legTowards(address: string, changes: Partial<LegParameters> = {}): LegParameters {
  return {
    remote: { address, port: 4000 },
    remoteRtcp: { address, port: 4001 },
    codecs: [{ name: 'PCMU', send: 0, receive: 0 }],
    ptime: 20,
    telephoneEvents: [{ send: 101, receive: 101, clockRate: 8000 }],
    detectDigits: false,
    comfortNoise: false,
    direction: 'sendrecv',
    symmetric: false,
    rtcpMux: false,
    ...changes,
  };
}

interface Flying {
  readonly at: number;
  readonly to: SimulatedMedia;
  readonly from: string;
  readonly rtcp: boolean;
  readonly bytes: Uint8Array;
}

/** Two phones and the network between them, in virtual time. */
export class SimulatedCall {
  readonly a: SimulatedMedia;
  readonly b: SimulatedMedia;
  now = 0;
  network = perfectNetwork;
  readonly #ways: ReadonlyMap<SimulatedMedia, ImpairedWay>;
  #flying: Flying[] = [];

  constructor(seed: number, a: SimulatedMedia, b: SimulatedMedia) {
    this.a = a;
    this.b = b;
    const random = seededRandom(seed);
    this.#ways = new Map([a, b].map((media) => [media, new ImpairedWay(random)]));
  }

  /** Starts both legs. */
  connect(changes: Partial<LegParameters> = {}): this {
    this.a.engine.updateSession(this.now, 'call', legTowards(this.b.address, changes));
    this.b.engine.updateSession(this.now, 'call', legTowards(this.a.address, changes));
    return this;
  }

  run(milliseconds: number): this {
    for (const end = this.now + milliseconds; this.now < end; this.now += 20) {
      this.#arrive();
      for (const [from, to] of [
        [this.a, this.b],
        [this.b, this.a],
      ] as const) {
        from.frame(this.now);
        for (const { bytes, length, rtcp } of from.session.drain()) this.#carry(from, to, rtcp, bytes.slice(0, length));
      }
    }
    return this;
  }

  #carry(from: SimulatedMedia, to: SimulatedMedia, rtcp: boolean, bytes: Uint8Array): void {
    const arrivals = this.#ways.get(from)?.carry(this.now, this.network) ?? [];
    for (const at of arrivals) this.#flying.push({ at, to, from: from.address, rtcp, bytes });
  }

  #arrive(): void {
    const due = this.#flying.filter(({ at }) => at <= this.now).sort((x, y) => x.at - y.at);
    this.#flying = this.#flying.filter(({ at }) => at > this.now);
    for (const { at, to, from, rtcp, bytes } of due) {
      if (rtcp) to.session.receiveRtcp(at, bytes, from, 4001);
      else to.session.receiveRtp(at, bytes, from, 4000);
    }
  }
}
