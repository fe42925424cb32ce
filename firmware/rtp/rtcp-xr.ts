import type { Milliseconds } from '../core/clock.ts';
import { byteAt, readUint16, readUint32, writeUint16, writeUint32 } from './packet.ts';

/** How well one side hears the other (RFC 3611 §4.7). Shares are 0 to 1; `null` = not known. */
export interface VoiceMetrics {
  readonly lossRate: number;
  /** Came too late, or did not fit. */
  readonly discardRate: number;
  readonly burstDensity: number;
  readonly gapDensity: number;
  readonly burstMs: Milliseconds;
  readonly gapMs: Milliseconds;
  readonly roundTripMs: Milliseconds | null;
  /** Between the packet and the ear, and from the mouth to the packet. */
  readonly endSystemMs: Milliseconds;
  /** Rating factor of G.107. */
  readonly rating: number | null;
  /** Opinion scores: of listening, and of the conversation with its delay. */
  readonly listeningScore: number | null;
  readonly conversationScore: number | null;
  readonly jitterBufferMs: Milliseconds;
  /** As long as it ever was, and as it may become. */
  readonly jitterBufferMaximumMs: Milliseconds;
  readonly jitterBufferLimitMs: Milliseconds;
}

/** Metrics of what comes from one source. */
export interface VoiceMetricsBlock {
  /** Whose packets they are about. */
  readonly ssrc: number;
  readonly metrics: VoiceMetrics;
}

/** Packet type of extended reports. */
export const extendedReportType = 207;
const voiceMetricsType = 7;
const voiceMetricsWords = 8;
const blocksAtMost = 32;
const unavailable = 127;
/** Packets lost in a row are concealed by more than silence, and the buffer adapts (§4.7.6). */
const receiverConfiguration = 0b10_11_0001;
const gapThreshold = 16;

/** Appends an extended report with one block of voice metrics; returns the length of the whole. */
export function writeVoiceMetrics(bytes: Uint8Array, offset: number, reporter: number, { ssrc, metrics }: VoiceMetricsBlock): number {
  bytes[offset] = 0x80;
  bytes[offset + 1] = extendedReportType;
  writeUint16(bytes, offset + 2, 1 + 1 + voiceMetricsWords);
  writeUint32(bytes, offset + 4, reporter);
  const block = offset + 8;
  bytes[block] = voiceMetricsType;
  bytes[block + 1] = 0;
  writeUint16(bytes, block + 2, voiceMetricsWords);
  writeUint32(bytes, block + 4, ssrc);
  const octets = [metrics.lossRate, metrics.discardRate, metrics.burstDensity, metrics.gapDensity].map(fractionOctet);
  const times = [metrics.burstMs, metrics.gapMs, metrics.roundTripMs ?? 0, metrics.endSystemMs];
  bytes.set(octets, block + 8);
  for (const [index, time] of times.entries()) writeUint16(bytes, block + 12 + 2 * index, milliseconds(time));
  // Levels of signal and noise and the echo are not measured.
  bytes.set([unavailable, unavailable, unavailable, gapThreshold], block + 20);
  const ratings = [ratingOctet(metrics.rating), unavailable, scoreOctet(metrics.listeningScore), scoreOctet(metrics.conversationScore)];
  bytes.set([...ratings, receiverConfiguration, 0], block + 24);
  const buffer = [metrics.jitterBufferMs, metrics.jitterBufferMaximumMs, metrics.jitterBufferLimitMs];
  for (const [index, time] of buffer.entries()) writeUint16(bytes, block + 30 + 2 * index, milliseconds(time));
  return block + 4 + 4 * voiceMetricsWords;
}

/** Voice metrics among the blocks of an extended report, from behind its SSRC on; other blocks are passed over, `undefined` = they do not fit. */
export function readVoiceMetrics(bytes: Uint8Array, start: number, end: number): VoiceMetricsBlock[] | undefined {
  const found: VoiceMetricsBlock[] = [];
  let offset = start;
  for (let count = 0; offset < end && count < blocksAtMost; count++) {
    if (offset + 4 > end) return undefined;
    const words = readUint16(bytes, offset + 2);
    const next = offset + 4 + 4 * words;
    if (next > end) return undefined;
    if (byteAt(bytes, offset) === voiceMetricsType && words === voiceMetricsWords) found.push(readBlock(bytes, offset));
    offset = next;
  }
  return found;
}

function readBlock(bytes: Uint8Array, block: number): VoiceMetricsBlock {
  const fraction = (at: number) => byteAt(bytes, block + at) / 256;
  const time = (at: number) => readUint16(bytes, block + at);
  const score = (at: number) => {
    const octet = byteAt(bytes, block + at);
    return octet >= 10 && octet <= 50 ? octet / 10 : null;
  };
  const rating = byteAt(bytes, block + 24);
  return {
    ssrc: readUint32(bytes, block + 4),
    metrics: {
      lossRate: fraction(8),
      discardRate: fraction(9),
      burstDensity: fraction(10),
      gapDensity: fraction(11),
      burstMs: time(12),
      gapMs: time(14),
      roundTripMs: time(16) || null,
      endSystemMs: time(18),
      rating: rating <= 100 ? rating : null,
      listeningScore: score(26),
      conversationScore: score(27),
      jitterBufferMs: time(30),
      jitterBufferMaximumMs: time(32),
      jitterBufferLimitMs: time(34),
    },
  };
}

/** 1/256; 1 itself has no number. */
function fractionOctet(share: number): number {
  return Math.max(0, Math.min(255, Math.floor(share * 256)));
}

function milliseconds(time: Milliseconds): number {
  return Math.max(0, Math.min(0xffff, Math.round(time)));
}

function ratingOctet(rating: number | null): number {
  return rating === null ? unavailable : Math.max(0, Math.min(100, Math.round(rating)));
}

function scoreOctet(score: number | null): number {
  return score === null ? unavailable : Math.max(10, Math.min(50, Math.round(score * 10)));
}
