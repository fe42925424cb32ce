import { type WavLayout, WavReader } from '#firmware/audio/wav.ts';
import type { Milliseconds } from '#firmware/core/clock.ts';
import type { Entropy } from '#firmware/core/entropy.ts';
import { type LegParameters, MediaSession } from '#firmware/media/media-session.ts';
import { WavPlayer } from '#firmware/media/players.ts';
import { blockSamples, narrowRate } from '#firmware/media/sound-format.ts';
import type { RtpStatistics } from '#firmware/rtp/rtp-parameters.ts';
import type { OutgoingPacket } from '#firmware/rtp/rtp-sender.ts';
import { RtpSession } from '#firmware/rtp/rtp-session.ts';
import type { ReceivedDigit } from '#firmware/rtp/telephone-event.ts';

/** The sound of one call to an extension. Sans-IO: datagrams and frames of 20 ms come in, datagrams are drained. */
export interface ExtensionMedia {
  update(now: Milliseconds, parameters: LegParameters): void;
  receiveRtp(now: Milliseconds, bytes: Uint8Array, address: string, port: number): void;
  receiveRtcp(now: Milliseconds, bytes: Uint8Array, address: string, port: number): void;
  /** 20 ms have passed. */
  frame(now: Milliseconds): void;
  /** Says goodbye by RTCP; drain afterwards. */
  close(now: Milliseconds): void;
  /** Datagrams to send now, valid until the next call. */
  drain(): readonly OutgoingPacket[];
  drainDigits(): readonly ReceivedDigit[];
  /** True when there is nothing more to say. */
  readonly ended: boolean;
  statistics(): RtpStatistics;
}

const clockRate = 8000;
/** Longest payload that goes back, bytes: 60 ms of G.711. */
const payloadAtMost = 480;
const comfortNoise = 13;
/** Packets that wait for one that is missing before it counts as lost. */
const reorderWindow = 3;
/** Silence that is skipped at most to get to the next packet, in steps of 10 ms: 3 s. */
const stepsAtMost = 300;
const stepTicks = clockRate / 100;
const jitterBuffer = { minimum: 0, start: 0, maximum: 500 };

/**
 * Sends what it hears straight back, untouched but for SSRC, sequence and time stamp, in order and without a delay of its own: what the caller
 * hears is his line and nothing else.
 */
export class EchoMedia implements ExtensionMedia {
  readonly ended = false;
  readonly #rtp: RtpSession;
  #payloadType = 0;
  #waiting = 0;

  constructor(entropy: Entropy, cname: string) {
    this.#rtp = new RtpSession(entropy, clockRate, cname, jitterBuffer);
  }

  update(now: Milliseconds, parameters: LegParameters): void {
    const { direction, remote, remoteRtcp, symmetric, rtcpMux, telephoneEvents, codecs } = parameters;
    const [codec] = codecs;
    this.#payloadType = codec.receive;
    this.#rtp.update(now, {
      remote,
      remoteRtcp,
      symmetric,
      rtcpMux,
      sends: direction === 'sendrecv' || direction === 'sendonly',
      receives: direction === 'sendrecv' || direction === 'recvonly',
      payloadType: codec.send,
      clockRate,
      events: undefined,
      payloads: {
        // A byte of G.711 is a tick.
        ticksOf: (payloadType, _bytes, start, end) => (payloadType === this.#payloadType && end - start <= payloadAtMost ? end - start : 0),
        clockRateOf: () => clockRate,
        telephoneEvents: new Map(telephoneEvents.map((events) => [events.receive, events.clockRate])),
        noise: comfortNoise,
      },
    });
  }

  receiveRtp(now: Milliseconds, bytes: Uint8Array, address: string, port: number): void {
    this.#rtp.receiveRtp(now, bytes, address, port);
    const isSound = ((bytes[1] ?? 0) & 0x7f) === this.#payloadType;
    if (this.#sendBack() > 0 || !isSound) this.#waiting = 0;
    else if (++this.#waiting >= reorderWindow) this.#skipGap();
  }

  receiveRtcp(now: Milliseconds, bytes: Uint8Array, address: string, port: number): void {
    this.#rtp.receiveRtcp(now, bytes, address, port);
  }

  frame(now: Milliseconds): void {
    this.#rtp.handleTimeout(now);
  }

  close(now: Milliseconds): void {
    this.#rtp.close(now);
  }

  drain(): readonly OutgoingPacket[] {
    return this.#rtp.drain();
  }

  drainDigits(): readonly ReceivedDigit[] {
    return this.#rtp.drainDigits();
  }

  statistics(): RtpStatistics {
    return this.#rtp.statistics();
  }

  #sendBack(): number {
    let count = 0;
    for (let packet = this.#rtp.take(); packet; packet = this.#rtp.take()) {
      const { bytes, length, ticks } = packet;
      this.#rtp.send(ticks, (outgoing, offset) => {
        outgoing.set(bytes.subarray(0, length), offset);
        return length;
      });
      count++;
    }
    return count;
  }

  #skipGap(): void {
    this.#waiting = 0;
    for (let step = 0; step < stepsAtMost; step++) {
      this.#rtp.pass(stepTicks);
      if (this.#sendBack() > 0) return;
    }
  }
}

/** Plays a recording once. */
export class GreetingMedia implements ExtensionMedia {
  readonly #session: MediaSession;
  readonly #player: WavPlayer;
  readonly #block = new Int16Array(blockSamples(narrowRate));
  readonly #heard = new Int16Array(blockSamples(narrowRate));

  constructor(entropy: Entropy, cname: string, recording: { readonly bytes: Uint8Array; readonly layout: WavLayout }) {
    this.#session = new MediaSession(entropy, cname, { minimum: 20, start: 60, maximum: 200 });
    this.#player = new WavPlayer(new WavReader(recording.bytes, recording.layout), 1, 0, narrowRate);
  }

  get ended(): boolean {
    return this.#player.ended;
  }

  update(now: Milliseconds, parameters: LegParameters): void {
    this.#session.update(now, parameters);
  }

  receiveRtp(now: Milliseconds, bytes: Uint8Array, address: string, port: number): void {
    this.#session.receiveRtp(now, bytes, address, port);
  }

  receiveRtcp(now: Milliseconds, bytes: Uint8Array, address: string, port: number): void {
    this.#session.receiveRtcp(now, bytes, address, port);
  }

  frame(now: Milliseconds): void {
    for (let block = 0; block < 2; block++) {
      // What the caller says is heard for its digits and counts only.
      this.#session.pull(this.#heard);
      if (!this.#player.pull(this.#block)) this.#block.fill(0);
      this.#session.push(this.#block);
    }
    this.#session.moved(now);
  }

  close(now: Milliseconds): void {
    this.#session.close(now);
  }

  drain(): readonly OutgoingPacket[] {
    return this.#session.drain();
  }

  drainDigits(): readonly ReceivedDigit[] {
    return this.#session.drainDigits();
  }

  statistics(): RtpStatistics {
    return this.#session.statistics();
  }
}
