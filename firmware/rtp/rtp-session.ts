import type { Milliseconds } from '../core/clock.ts';
import { Counters } from '../core/counters.ts';
import type { Entropy } from '../core/entropy.ts';
import { canonicalAddress, isNullAddress } from './ip-address.ts';
import type { BufferedPacket, JitterBufferLimits } from './jitter-buffer.ts';
import { byteAt, rtpHeaderLength } from './packet.ts';
import { type PacketTransform, protectionAtMost } from './packet-transform.ts';
import type { TransportAddress } from './remote-address.ts';
import { parseRtcp, type ReportBlock, type RtcpCompound, type SenderReport, writeBye, writeReport } from './rtcp.ts';
import { RtcpSchedule } from './rtcp-schedule.ts';
import { type VoiceMetrics, writeVoiceMetrics } from './rtcp-xr.ts';
import type { RtpParameters, RtpStatistics, StreamQuality } from './rtp-parameters.ts';
import { nothingExpected, RtpReceiver } from './rtp-receiver.ts';
import { type OutgoingPacket, type PayloadWriter, payloadAtMost, RtpSender } from './rtp-sender.ts';
import { concealedG711, opinionScoreOf, ratingOf } from './speech-quality.ts';
import type { EventDigit, ReceivedDigit } from './telephone-event.ts';

/** Datagrams whose bytes may still be with the kernel when the next is written. */
const packetsInFlight = 16;
/** UDP and IPv4 headers count in RTCP's share of the bandwidth (§6.2). */
const lowerHeaders = 28;
const ntpUnitsPerMs = 65.536;

/**
 * One RTP stream with its RTCP, both ways (RFC 3550). Sans-IO: datagrams and time come in, datagrams and digits are drained. RTCP's clock is
 * the monotonic one: §6.4.1 allows any that the sender has.
 */
export class RtpSession {
  readonly counters = new Counters();
  /** Ticks a second in which sound is taken, passed and held, whatever clocks the packets have. */
  readonly timelineRate: number;
  readonly #cname: string;
  readonly #delayAtMost: Milliseconds;
  readonly #sender: RtpSender;
  readonly #receiver: RtpReceiver;
  readonly #schedule: RtcpSchedule;
  readonly #pool: OutgoingPacket[];
  #nextInPool = 0;
  /** What packets are protected with; `awaited` = nothing may be sent or heard before it is known; `undefined` = they are not. */
  #protection: PacketTransform | 'awaited' | undefined;
  #outgoing: OutgoingPacket[] = [];
  #drained: OutgoingPacket[] = [];
  #parameters: RtpParameters | undefined;
  /** Since when something should come in. */
  #listeningSince: Milliseconds | undefined;
  #rtcpTarget: TransportAddress | undefined;
  #rtcpHeard = false;
  /** When the far end last told by RTCP that it is there. */
  #rtcpHeardAt: Milliseconds = 0;
  #lastSenderReport: { ntp: number; at: Milliseconds } | undefined;
  #roundTrip: Milliseconds | undefined;
  #packetsAtReport = 0;
  #farMetrics: VoiceMetrics | undefined;
  #maximumDelay: Milliseconds = 0;

  constructor(entropy: Entropy, timelineRate: number, cname: string, limits: JitterBufferLimits) {
    this.timelineRate = timelineRate;
    this.#cname = cname;
    this.#delayAtMost = Math.max(limits.minimum, limits.maximum);
    this.#sender = new RtpSender(entropy, timelineRate);
    this.#receiver = new RtpReceiver(timelineRate, limits, nothingExpected, this.counters);
    this.#schedule = new RtcpSchedule(entropy);
    this.#pool = Array.from({ length: packetsInFlight }, () => ({
      bytes: new Uint8Array(rtpHeaderLength + payloadAtMost + protectionAtMost),
      length: 0,
      rtcp: false,
      address: '',
      port: 0,
    }));
  }

  get ssrc(): number {
    return this.#sender.ssrc;
  }

  get deadline(): Milliseconds | undefined {
    return earliest(this.#schedule.deadline, this.#receiver.deadline);
  }

  /** Starts the stream, or changes it while it runs: SSRC, sequence and timestamp go on unless the clock is another. */
  update(now: Milliseconds, wanted: RtpParameters): void {
    const before = this.#parameters;
    const parameters = { ...wanted, remote: canonical(wanted.remote), remoteRtcp: canonical(wanted.remoteRtcp) };
    this.#parameters = parameters;
    this.#sender.retune(parameters.clockRate, parameters.events?.clockRate ?? parameters.clockRate);
    this.#receiver.remote.update(parameters.remote, parameters.symmetric);
    this.#receiver.accept(parameters.payloads);
    if (!this.#rtcpHeard || !sameAddress(before?.remoteRtcp, parameters.remoteRtcp)) {
      this.#rtcpTarget = parameters.remoteRtcp;
      this.#rtcpHeard = false;
    }
    if (!parameters.receives) this.#listeningSince = undefined;
    else if (!before?.receives) this.#listeningSince = now;
    if (!parameters.sends) this.#sender.cancelDigits();
    if (!before) this.#schedule.start(now);
  }

  /** Protects all packets from now on. */
  protect(protection: PacketTransform | 'awaited' | undefined): void {
    this.#protection = protection;
    this.#receiver.protection = protection === 'awaited' ? undefined : protection;
  }

  receiveRtp(now: Milliseconds, bytes: Uint8Array, address: string, port: number): void {
    if (this.#parameters?.rtcpMux && isRtcp(bytes)) this.receiveRtcp(now, bytes, address, port);
    else if (this.#protection === 'awaited') this.counters.add('rtp-before-keys');
    else if (!this.#parameters?.receives) this.counters.add('rtp-not-wanted');
    else this.#receiver.receive(now, bytes, address, port);
  }

  receiveRtcp(now: Milliseconds, bytes: Uint8Array, address: string, port: number): void {
    if (!this.#permitsRtcp(address)) {
      this.counters.add('rtcp-foreign-source');
      return;
    }
    const length = this.#opened(bytes);
    const compound = typeof length === 'string' ? length : parseRtcp(length === bytes.length ? bytes : bytes.subarray(0, length));
    if (typeof compound === 'string') {
      this.counters.add(compound);
      return;
    }
    if (this.#parameters?.symmetric && !this.#rtcpHeard) this.#rtcpTarget = { address, port };
    this.#rtcpHeard = true;
    if (compound.byes.length === 0) this.#rtcpHeardAt = now;
    this.#schedule.heard(bytes.length + lowerHeaders);
    this.#takeReports(now, compound);
  }

  /** Sends one interval of `ticks` of the codec's clock: a digit under way, or the payload that `write` puts in place. Nothing while on hold. */
  send(ticks: number, write: PayloadWriter): void {
    this.#send(ticks, this.#parameters?.payloadType ?? 0, write);
  }

  /** Lets one interval go by in silence, of which the far end is told how loud it is, −dBov; `undefined` = as loud as before (RFC 3389). */
  sendSilence(ticks: number, level: number | undefined): void {
    const write: PayloadWriter = (bytes, offset) => {
      if (level === undefined) return 0;
      bytes[offset] = level;
      return 1;
    };
    this.#send(ticks, this.#parameters?.payloads.noise ?? 0, write);
    // What follows begins a talk spurt.
    this.#sender.pass(0);
  }

  /** Queues a digit (RFC 4733); false when the peer takes none or too many wait. */
  sendDigit(digit: EventDigit, duration: Milliseconds): boolean {
    const { sends = false, events } = this.#parameters ?? {};
    return sends && events !== undefined && this.#sender.press(digit, duration);
  }

  /** The packet to decode next; `undefined` when there is none in time. */
  take(): BufferedPacket | undefined {
    return this.#receiver.buffer.take();
  }

  /** The packet right behind a gap, which may carry a copy of what is missing; `undefined` when there is none. */
  get afterGap(): BufferedPacket | undefined {
    return this.#receiver.buffer.afterGap;
  }

  /** Ticks that are missing before it. */
  get gap(): number {
    return this.#receiver.buffer.gap;
  }

  /** Sound was made up for `ticks`, for want of a packet. */
  pass(ticks: number): void {
    this.#receiver.buffer.pass(ticks);
  }

  /** Milliseconds that the quickest packets wait for their turn. */
  get delay(): Milliseconds {
    return this.#receiver.buffer.depth;
  }

  /** Milliseconds by which the delay is longer than it need be. */
  get excessDelay(): Milliseconds {
    return this.#receiver.buffer.excess;
  }

  /** Milliseconds by which the delay is shorter than it should be. */
  get delayShortfall(): Milliseconds {
    return this.#receiver.buffer.shortfall;
  }

  /** At `now` `ticks` of what was taken are still to be played. */
  holds(now: Milliseconds, ticks: number): void {
    this.#receiver.buffer.holds(now, ticks);
  }

  /** The sound was drawn out by `ticks`, or as much of it left out (less than 0), to correct the delay. */
  delayAdjusted(ticks: number): void {
    this.#receiver.buffer.adjusted(ticks);
  }

  handleTimeout(now: Milliseconds): void {
    this.#receiver.handleTimeout(now);
    if (!this.#schedule.expire(now)) return;
    this.#schedule.sent(now, this.#sendReport(now, false) + lowerHeaders);
  }

  /** The last report, with BYE. */
  close(now: Milliseconds): void {
    if (this.#schedule.deadline === undefined) return;
    this.#schedule.stop();
    this.#sendReport(now, true);
  }

  /** Milliseconds since a packet came, or since one was due; `undefined` while none is wanted. */
  silentFor(now: Milliseconds): Milliseconds | undefined {
    if (this.#listeningSince === undefined) return undefined;
    return now - Math.max(this.#listeningSince, this.#receiver.heardAt ?? 0, this.#rtcpHeardAt);
  }

  /** Datagrams to send now, valid until the next call. */
  drain(): readonly OutgoingPacket[] {
    const packets = this.#outgoing;
    this.#outgoing = this.#drained;
    this.#outgoing.length = 0;
    this.#drained = packets;
    return packets;
  }

  /** Digits that came in since the last call. */
  drainDigits(): readonly ReceivedDigit[] {
    return this.#receiver.drainDigits();
  }

  /** Level of the noise that the peer wants heard while it sends nothing, −dBov; `undefined` while it speaks. */
  get comfortNoise(): number | undefined {
    return this.#receiver.noiseLevel;
  }

  /** True while the peer sends a digit in place of sound. */
  get digitUnderWay(): boolean {
    return this.#receiver.deadline !== undefined;
  }

  statistics(): RtpStatistics {
    const { packets, lost, octets, refused, unauthentic } = this.#receiver.totals;
    const { late, duplicates, discarded, depth } = this.#receiver.buffer;
    this.#noteMaxima();
    return {
      packetsSent: this.#sender.packets,
      packetsReceived: packets,
      octetsSent: this.#sender.octets,
      octetsReceived: octets,
      packetsLost: lost,
      packetsLate: late + discarded,
      packetsDuplicate: duplicates,
      packetsRefused: refused,
      packetsUnauthentic: unauthentic,
      jitterMs: this.#receiver.jitterMs,
      jitterBufferMs: Math.round(depth),
      roundTripMs: this.#roundTrip === undefined ? null : Math.round(this.#roundTrip * 10) / 10,
      farOpinionScore: this.#farMetrics?.conversationScore ?? this.#farMetrics?.listeningScore ?? null,
    };
  }

  /** All that is known of how well the stream went; `undefined` before anything was heard. */
  quality(): StreamQuality | undefined {
    const { reception, remote, jitterMs } = this.#receiver;
    const heard = reception && (remote.locked ?? remote.target);
    if (!heard) return undefined;
    this.#noteMaxima();
    return {
      localSsrc: this.ssrc,
      remoteSsrc: reception.ssrc,
      remote: heard,
      jitterMs,
      local: this.#voiceMetrics(),
      far: this.#farMetrics ?? null,
    };
  }

  describe() {
    const { locked, target } = this.#receiver.remote;
    return {
      ssrc: this.#sender.ssrc,
      remoteSsrc: this.#receiver.reception?.ssrc,
      target: target && `${target.address} ${target.port}`,
      locked: locked && `${locked.address} ${locked.port}`,
      jitterBuffer: this.#receiver.buffer.describe(),
      counters: this.counters.describe(),
    };
  }

  /** How long the plain packet is, or why it is refused. */
  #opened(rtcp: Uint8Array): number | string {
    if (this.#protection === 'awaited') return 'rtcp-before-keys';
    return this.#protection ? this.#protection.unprotectRtcp(rtcp) : rtcp.length;
  }

  #send(ticks: number, payloadType: number, write: PayloadWriter): void {
    const parameters = this.#parameters;
    const target = this.#receiver.remote.target;
    const protection = this.#protection;
    if (!parameters?.sends || !target || target.port === 0 || isNullAddress(target.address) || protection === 'awaited') {
      this.#sender.pass(ticks);
      return;
    }
    const packet = this.#nextPacket(target, false);
    if (!this.#sender.fill(packet, ticks, payloadType, parameters.events?.payloadType, write)) return;
    if (protection) packet.length = protection.protectRtp(packet.bytes, packet.length);
    this.#queue(packet);
  }

  #permitsRtcp(address: string): boolean {
    const parameters = this.#parameters;
    if (!parameters) return false;
    const locked = this.#receiver.remote.locked;
    return address === parameters.remoteRtcp.address || address === parameters.remote.address || address === locked?.address;
  }

  #takeReports(now: Milliseconds, compound: RtcpCompound): void {
    const { senderReport, reports, byes, voiceMetrics } = compound;
    this.#farMetrics = voiceMetrics.find(({ ssrc }) => ssrc === this.#sender.ssrc)?.metrics ?? this.#farMetrics;
    if (senderReport) this.#lastSenderReport = { ntp: middleOfNtp(senderReport), at: now };
    const ours = reports.find((report) => report.ssrc === this.#sender.ssrc);
    if (ours && ours.lastSenderReport !== 0) {
      const units = (ntpMiddle(now) - ours.lastSenderReport - ours.delaySinceLastSenderReport) | 0;
      // A peer that claims to have waited longer than the report was under way has a wrong clock.
      if (units >= 0) this.#roundTrip = units / ntpUnitsPerMs;
    }
    // A BYE here is not the end of the call: anybody can send one.
    if (byes.includes(compound.ssrc)) this.#schedule.left(now);
  }

  /** Returns the size of what was sent, 0 when there is nowhere to send it. */
  #sendReport(now: Milliseconds, bye: boolean): number {
    const target = this.#parameters?.rtcpMux ? this.#receiver.remote.target : this.#rtcpTarget;
    const protection = this.#protection;
    if (!target || target.port === 0 || isNullAddress(target.address) || protection === 'awaited') return 0;
    const packet = this.#nextPacket(target, true);
    const sent = this.#sender.packets > this.#packetsAtReport;
    this.#packetsAtReport = this.#sender.packets;
    const length = writeReport(packet.bytes, this.ssrc, sent ? this.#senderReport(now) : undefined, this.#reportBlock(now), this.#cname);
    const reported = this.#writeExtended(packet.bytes, length);
    const whole = bye ? writeBye(packet.bytes, reported, this.ssrc) : reported;
    packet.length = protection ? protection.protectRtcp(packet.bytes, whole) : whole;
    this.#queue(packet);
    return packet.length;
  }

  #senderReport(now: Milliseconds): SenderReport {
    return {
      ntpSeconds: Math.floor(now / 1000) >>> 0,
      ntpFraction: Math.floor(((now % 1000) / 1000) * 2 ** 32) >>> 0,
      rtpTimestamp: this.#sender.timestamp,
      ...this.#sender.sent,
    };
  }

  #reportBlock(now: Milliseconds): ReportBlock | undefined {
    const reception = this.#receiver.reception;
    if (!reception) return undefined;
    const last = this.#lastSenderReport;
    return {
      ssrc: reception.ssrc,
      fractionLost: reception.takeFractionLost(),
      packetsLost: reception.lost,
      extendedHighest: reception.extendedHighest,
      jitter: reception.jitter,
      lastSenderReport: last?.ntp ?? 0,
      delaySinceLastSenderReport: last ? Math.round((now - last.at) * ntpUnitsPerMs) : 0,
    };
  }

  /** Appends how well the peer is heard, if it asked to be told. */
  #writeExtended(bytes: Uint8Array, length: number): number {
    const { reception } = this.#receiver;
    if (!this.#parameters?.extendedReports || !reception) return length;
    this.#noteMaxima();
    return writeVoiceMetrics(bytes, length, this.ssrc, { ssrc: reception.ssrc, metrics: this.#voiceMetrics() });
  }

  #noteMaxima(): void {
    this.#maximumDelay = Math.max(this.#maximumDelay, this.#receiver.buffer.depth);
  }

  #voiceMetrics(): VoiceMetrics {
    const { totals, buffer, bursts, packetMs } = this.#receiver;
    const lost = Math.max(0, totals.lost);
    const expected = Math.max(1, totals.packets + lost);
    const missing = buffer.late + buffer.discarded;
    const percent = (100 * Math.min(expected, lost + missing)) / expected;
    // A packet is collected before it leaves, and held here until it is played.
    const endSystemMs = buffer.depth + 2 * packetMs;
    const rating = ratingOf((this.#roundTrip ?? 0) / 2 + endSystemMs, percent, concealedG711);
    return {
      lossRate: lost / expected,
      discardRate: Math.min(1, missing / expected),
      ...bursts.measure(packetMs),
      roundTripMs: this.#roundTrip ?? null,
      endSystemMs,
      rating,
      listeningScore: opinionScoreOf(ratingOf(0, percent, concealedG711)),
      conversationScore: opinionScoreOf(rating),
      jitterBufferMs: buffer.target,
      jitterBufferMaximumMs: Math.max(this.#maximumDelay, buffer.depth),
      jitterBufferLimitMs: this.#delayAtMost,
    };
  }

  #nextPacket(target: TransportAddress, rtcp: boolean): OutgoingPacket {
    const packet = this.#pool[this.#nextInPool] as OutgoingPacket;
    this.#nextInPool = (this.#nextInPool + 1) % this.#pool.length;
    packet.rtcp = rtcp && !this.#parameters?.rtcpMux;
    packet.address = target.address;
    packet.port = target.port;
    return packet;
  }

  #queue(packet: OutgoingPacket): void {
    if (this.#outgoing.length < packetsInFlight) this.#outgoing.push(packet);
    else this.counters.add('packets-not-drained');
  }
}

/** RFC 5761 §4: what RTP would take for payload types 64 to 95 with the marker bit is RTCP. */
function isRtcp(bytes: Uint8Array): boolean {
  const type = byteAt(bytes, 1);
  return type >= 192 && type <= 223;
}

function ntpMiddle(now: Milliseconds): number {
  return Math.floor(now * ntpUnitsPerMs) >>> 0;
}

function middleOfNtp(report: SenderReport): number {
  return (((report.ntpSeconds & 0xffff) << 16) | (report.ntpFraction >>> 16)) >>> 0;
}

function sameAddress(a: TransportAddress | undefined, b: TransportAddress): boolean {
  return a?.address === b.address && a.port === b.port;
}

function canonical({ address, port }: TransportAddress): TransportAddress {
  return { address: canonicalAddress(address), port };
}

function earliest(a: Milliseconds | undefined, b: Milliseconds | undefined): Milliseconds | undefined {
  if (a === undefined) return b;
  return b === undefined ? a : Math.min(a, b);
}
