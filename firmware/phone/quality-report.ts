import type { LegQuality } from '#firmware/contract/media.ts';

/** A call that is over, as a report names it. */
export interface ReportedCall {
  readonly callId: string;
  /** name-addrs without parameters. */
  readonly localId: string;
  readonly remoteId: string;
  readonly outgoing: boolean;
  readonly localTag: string;
  readonly remoteTag: string;
  readonly localAddress: string;
  readonly localPort: number;
  /** What collectors sort by. */
  readonly localGroup: string;
  readonly remoteGroup: string;
  /** Wall time of the conversation, ms. */
  readonly startedAt: number;
  readonly endedAt: number;
}

export const qualityReportType = 'application/vq-rtcpxr';
/** Concealment is enhanced (2), the jitter buffer adapts (3), at its quickest rate (RFC 6035 §4.6.2). */
const concealment = 2;
const adaptive = { kind: 3, rate: 1 };
const leastGap = 16;
/** What numbers may say (§4.6.1): delays, and stretches of good or bad sound, ms. */
const longestTime = 65_535;
const longestStretch = 3_600_000;

/** What a collector of voice quality is told at the end of a call: a session report of RFC 6035 §4.6.1. */
export function formatQualityReport(call: ReportedCall, quality: LegQuality): string {
  const { local, far, remote } = quality;
  const times = `Timestamps: START=${timeText(call.startedAt)} STOP=${timeText(call.endedAt)}`;
  const packets = Math.round(1000 / quality.ptime);
  const lines = [
    'VQSessionReport: CallTerm',
    `CallID: ${call.callId}`,
    `LocalID: ${call.localId}`,
    `RemoteID: ${call.remoteId}`,
    `OrigID: ${call.outgoing ? call.localId : call.remoteId}`,
    `LocalAddr: IP=${call.localAddress} PORT=${call.localPort} SSRC=${hexadecimal(quality.localSsrc)}`,
    `RemoteAddr: IP=${remote.address} PORT=${remote.port} SSRC=${hexadecimal(quality.remoteSsrc)}`,
    `LocalGroup: ${call.localGroup}`,
    `RemoteGroup: ${call.remoteGroup}`,
    'LocalMetrics:',
    times,
    `SessionDesc: PD=${quality.codec} SR=${quality.sampleRate} FD=${quality.ptime} FPP=1 PPS=${packets} PLC=${concealment}`,
    ...metricLines(local),
    `${delayLine(local)} IAJ=${whole(quality.jitterMs, longestTime)}`,
    ...qualityLines(local),
  ];
  if (far) {
    lines.push('RemoteMetrics:', times, ...metricLines(far));
    lines.push(delayLine(far), ...qualityLines(far));
  }
  lines.push(`DialogID: ${call.callId};to-tag=${call.remoteTag};from-tag=${call.localTag}`);
  return `${lines.join('\r\n')}\r\n`;
}

type Metrics = LegQuality['local'];

function metricLines(metrics: Metrics): string[] {
  const { jitterBufferMs, jitterBufferMaximumMs, jitterBufferLimitMs } = metrics;
  return [
    `JitterBuffer: JBA=${adaptive.kind} JBR=${adaptive.rate} JBN=${whole(jitterBufferMs, longestTime)} JBM=${whole(jitterBufferMaximumMs, longestTime)} JBX=${whole(jitterBufferLimitMs, longestTime)}`,
    `PacketLoss: NLR=${percent(metrics.lossRate)} JDR=${percent(metrics.discardRate)}`,
    `BurstGapLoss: BLD=${percent(metrics.burstDensity)} BD=${whole(metrics.burstMs, longestStretch)} GLD=${percent(metrics.gapDensity)} GD=${whole(metrics.gapMs, longestStretch)} GMIN=${leastGap}`,
  ];
}

/** A round trip that was never measured is not told. */
function delayLine({ roundTripMs, endSystemMs }: Metrics): string {
  const roundTrip = roundTripMs === null ? '' : `RTD=${whole(roundTripMs, longestTime)} `;
  return `Delay: ${roundTrip}ESD=${whole(endSystemMs, longestTime)}`;
}

/** Only what is known. */
function qualityLines({ rating, listeningScore, conversationScore }: Metrics): string[] {
  const words = [
    ...(rating === null ? [] : [`RCQ=${Math.round(rating)}`]),
    ...(listeningScore === null ? [] : [`MOSLQ=${listeningScore.toFixed(1)}`]),
    ...(conversationScore === null ? [] : [`MOSCQ=${conversationScore.toFixed(1)}`]),
  ];
  return words.length === 0 ? [] : [`QualityEst: ${words.join(' ')} QoEEstAlg=G.107`];
}

function percent(share: number): string {
  return (100 * Math.max(0, Math.min(1, share))).toFixed(1);
}

function whole(value: number, most: number): number {
  return Math.max(0, Math.min(most, Math.round(value)));
}

function hexadecimal(ssrc: number): string {
  return `0x${ssrc.toString(16).padStart(8, '0')}`;
}

/** RFC 3339, whole seconds. */
function timeText(wallTime: number): string {
  const days = Math.floor(wallTime / 86_400_000);
  const { year, month, day } = dateOf(days);
  const seconds = Math.floor(wallTime / 1000) - days * 86_400;
  const clock = [seconds / 3600, (seconds / 60) % 60, seconds % 60].map((part) => String(Math.floor(part)).padStart(2, '0'));
  return `${year}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}T${clock.join(':')}Z`;
}

/** The date so many days after 1970 began, by the calendar of 400-year eras that begin in March. */
function dateOf(days: number): { year: number; month: number; day: number } {
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const leaps = Math.floor(dayOfEra / 1460) - Math.floor(dayOfEra / 36_524) + Math.floor(dayOfEra / 146_096);
  const yearOfEra = Math.floor((dayOfEra - leaps) / 365);
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  const day = dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1;
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day };
}
