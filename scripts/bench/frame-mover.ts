import { MediaEngine } from '#firmware/media/media-engine.ts';
import type { MediaSession } from '#firmware/media/media-session.ts';
import type { PlaybackPort } from '#firmware/media/sound-device.ts';
import { nodeEntropy } from '#firmware/platform/node-entropy.ts';

/**
 * Two media engines in a call with each other, without sockets and clocks: what a frame costs and what it leaves for the garbage collector.
 * A process of its own, with a nursery so large that nothing is collected meanwhile. Arguments: codec, sample rate of the devices. Prints JSON:
 * µs and bytes for each frame of 20 ms of one leg.
 */

const frameMs = 20;
const warmUp = 20_000;
const measured = 2_000;
const rounds = 9;
const largestPacket = 1_500;

type PlainCodec = 'PCMU' | 'PCMA' | 'G722';
const payloadTypes: Readonly<Record<PlainCodec, number>> = { PCMU: 0, PCMA: 8, G722: 9 };

class Handset implements PlaybackPort {
  readonly sampleRate: number;
  readonly frameSamples: number;
  readonly speech: Int16Array;

  constructor(sampleRate: number) {
    this.sampleRate = sampleRate;
    this.frameSamples = (sampleRate * frameMs) / 1000;
    this.speech = Int16Array.from({ length: this.frameSamples }, (_, i) => 6_000 * Math.sin((2 * Math.PI * 300 * i) / sampleRate));
  }

  play(): boolean {
    return true;
  }
}

/** One of the two. */
class Side {
  readonly engine = new MediaEngine(nodeEntropy, 'bench', {
    country: 'de',
    jitterBuffer: { minimum: 20, start: 60, maximum: 200 },
    silenceSeconds: 0,
  });
  readonly handset: Handset;
  readonly session: MediaSession;
  readonly #capture: (frame: Int16Array) => void;
  /** Stand for the buffers of a socket, which are no part of the engine. */
  readonly #datagrams = Array.from({ length: 64 }, () => new Uint8Array(largestPacket));
  readonly #views = new Map<Uint8Array, Uint8Array>();
  #next = 0;

  constructor(sampleRate: number, address: string, codec: PlainCodec) {
    this.handset = new Handset(sampleRate);
    const device = this.engine.addDevice('handset', this.handset);
    this.#capture = (frame) => device.capture(frame);
    this.session = this.engine.openSession('call');
    this.engine.connectSession('call', 'handset');
    this.engine.updateSession(0, 'call', {
      remote: { address, port: 4000 },
      remoteRtcp: { address, port: 4001 },
      codecs: [{ name: codec, send: payloadTypes[codec], receive: payloadTypes[codec] }],
      ptime: frameMs,
      telephoneEvents: [{ send: 101, receive: 101, clockRate: 8000 }],
      detectDigits: false,
      comfortNoise: false,
      direction: 'sendrecv',
      symmetric: false,
      rtcpMux: false,
    });
  }

  frame(now: number): void {
    this.#capture(this.handset.speech);
    this.engine.tick(now);
    this.engine.tick(now);
    this.engine.drain();
  }

  /** Hands what this side sends to the other. */
  deliver(now: number, to: Side, from: string): void {
    for (const { rtcp, bytes, length } of this.session.drain()) {
      if (rtcp) to.session.receiveRtcp(now, bytes.slice(0, length), from, 4001);
      else to.session.receiveRtp(now, this.#datagram(bytes, length), from, 4000);
    }
  }

  #datagram(bytes: Uint8Array, length: number): Uint8Array {
    const buffer = this.#datagrams[this.#next++ % this.#datagrams.length] ?? bytes;
    for (let i = 0; i < length; i++) buffer[i] = bytes[i] ?? 0;
    const known = this.#views.get(buffer);
    if (known?.length === length) return known;
    const view = buffer.subarray(0, length);
    this.#views.set(buffer, view);
    return view;
  }
}

const [codec = 'PCMU', rate = '8000'] = process.argv.slice(2);
const name = codec as PlainCodec;
const sides = [new Side(Number(rate), '192.0.2.2', name), new Side(Number(rate), '192.0.2.1', name)] as const;
const clock = { now: 0 };

function move(frames: number): void {
  const [a, b] = sides;
  for (let frame = 0; frame < frames; frame++) {
    clock.now += frameMs;
    a.frame(clock.now);
    b.frame(clock.now);
    a.deliver(clock.now, b, '192.0.2.1');
    b.deliver(clock.now, a, '192.0.2.2');
  }
}

move(warmUp);
const costs = Array.from({ length: rounds }, () => {
  const before = process.memoryUsage().heapUsed;
  const cpuBefore = process.cpuUsage();
  move(measured);
  const { user, system } = process.cpuUsage(cpuBefore);
  const grown = process.memoryUsage().heapUsed - before;
  return { microseconds: (user + system) / measured / 2, bytes: grown / measured / 2 };
}).filter(({ bytes }) => bytes >= 0);
console.log(JSON.stringify({ costs, received: sides[0].session.statistics().packetsReceived, frames: warmUp + rounds * measured }));
