import { byteAt, readUint16, readUint32, writeUint16, writeUint32 } from './packet.ts';
import { extendedReportType, readVoiceMetrics, type VoiceMetricsBlock } from './rtcp-xr.ts';

/** RTCP compound packets (RFC 3550 §6): read as values, written into a reused buffer. */

/** What a receiver reports of one source (§6.4.1). */
export interface ReportBlock {
  readonly ssrc: number;
  /** 1/256. */
  readonly fractionLost: number;
  /** Signed 24 bits. */
  readonly packetsLost: number;
  readonly extendedHighest: number;
  /** Timestamp ticks. */
  readonly jitter: number;
  /** Middle 32 bits of the NTP time of the last sender report, 0 if none came. */
  readonly lastSenderReport: number;
  /** Since then, in 1/65536 s. */
  readonly delaySinceLastSenderReport: number;
}

/** The sender's part of a sender report. */
export interface SenderReport {
  readonly ntpSeconds: number;
  readonly ntpFraction: number;
  readonly rtpTimestamp: number;
  readonly packets: number;
  readonly octets: number;
}

/** A compound packet; packets of other types (APP, feedback) are passed over. */
export interface RtcpCompound {
  readonly ssrc: number;
  readonly senderReport: SenderReport | undefined;
  readonly reports: readonly ReportBlock[];
  readonly cname: string | undefined;
  /** Sources that left. */
  readonly byes: readonly number[];
  /** How well the sender hears whom (RFC 3611). */
  readonly voiceMetrics: readonly VoiceMetricsBlock[];
}

export type RtcpFault = 'rtcp-truncated' | 'rtcp-version' | 'rtcp-type' | 'rtcp-length' | 'rtcp-padding';

const senderReportType = 200;
const receiverReportType = 201;
const sourceDescriptionType = 202;
const byeType = 203;
const blockLength = 24;
const compoundPacketsAtMost = 32;
const cnameItem = 1;

/** Reads a compound packet by the rules of RFC 3550 A.2. Never throws. */
export function parseRtcp(bytes: Uint8Array): RtcpCompound | RtcpFault {
  if (bytes.length < 8) return 'rtcp-truncated';
  const type = byteAt(bytes, 1);
  if (type !== senderReportType && type !== receiverReportType) return 'rtcp-type';
  const compound = { ssrc: readUint32(bytes, 4), senderReport: undefined, reports: [], cname: undefined, byes: [], voiceMetrics: [] };
  const collected: Collected = compound;
  let offset = 0;
  for (let count = 0; offset < bytes.length && count < compoundPacketsAtMost; count++) {
    if (offset + 4 > bytes.length) return 'rtcp-truncated';
    if (byteAt(bytes, offset) >> 6 !== 2) return 'rtcp-version';
    const end = offset + 4 + 4 * readUint16(bytes, offset + 2);
    if (end > bytes.length) return 'rtcp-length';
    const padded = (byteAt(bytes, offset) & 0x20) !== 0;
    const padding = padded ? byteAt(bytes, end - 1) : 0;
    if (padded && (end !== bytes.length || padding === 0 || padding % 4 !== 0 || padding > end - offset - 4)) return 'rtcp-padding';
    if (!readPacket(bytes, offset, end - padding, collected)) return 'rtcp-length';
    offset = end;
  }
  return collected;
}

/** Writes an SR (with `sender`) or an RR, then SDES with the CNAME; returns the length. `bytes` has room for 256. */
export function writeReport(
  bytes: Uint8Array,
  ssrc: number,
  sender: SenderReport | undefined,
  report: ReportBlock | undefined,
  cname: string,
): number {
  let offset = 8;
  writeUint32(bytes, 4, ssrc);
  if (sender) offset = writeSender(bytes, offset, sender);
  if (report) offset = writeBlock(bytes, offset, report);
  writeHead(bytes, 0, report ? 1 : 0, sender ? senderReportType : receiverReportType, offset);
  return writeSourceDescription(bytes, offset, ssrc, cname);
}

/** Appends BYE at `offset`; returns the length of the whole. */
export function writeBye(bytes: Uint8Array, offset: number, ssrc: number): number {
  writeHead(bytes, offset, 1, byeType, 8);
  writeUint32(bytes, offset + 4, ssrc);
  return offset + 8;
}

interface Collected {
  readonly ssrc: number;
  senderReport: SenderReport | undefined;
  reports: ReportBlock[];
  cname: string | undefined;
  byes: number[];
  voiceMetrics: VoiceMetricsBlock[];
}

/** False when the packet's counts do not fit its length. */
function readPacket(bytes: Uint8Array, offset: number, end: number, into: Collected): boolean {
  const count = byteAt(bytes, offset) & 0x1f;
  switch (byteAt(bytes, offset + 1)) {
    case senderReportType:
      if (offset + 28 + count * blockLength > end) return false;
      into.senderReport ??= readSender(bytes, offset + 8);
      return readBlocks(bytes, offset + 28, count, into);
    case receiverReportType:
      if (offset + 8 + count * blockLength > end) return false;
      return readBlocks(bytes, offset + 8, count, into);
    case sourceDescriptionType:
      return readSourceDescription(bytes, offset + 4, end, count, into);
    case byeType:
      return readBye(bytes, offset + 4, end, count, into);
    case extendedReportType:
      return readExtended(bytes, offset + 8, end, into);
    default:
      return true;
  }
}

function readSender(bytes: Uint8Array, offset: number): SenderReport {
  return {
    ntpSeconds: readUint32(bytes, offset),
    ntpFraction: readUint32(bytes, offset + 4),
    rtpTimestamp: readUint32(bytes, offset + 8),
    packets: readUint32(bytes, offset + 12),
    octets: readUint32(bytes, offset + 16),
  };
}

function readBlocks(bytes: Uint8Array, start: number, count: number, into: Collected): boolean {
  for (let index = 0; index < count; index++) {
    const offset = start + index * blockLength;
    const lost = readUint32(bytes, offset + 4);
    into.reports.push({
      ssrc: readUint32(bytes, offset),
      fractionLost: lost >>> 24,
      packetsLost: (lost << 8) >> 8,
      extendedHighest: readUint32(bytes, offset + 8),
      jitter: readUint32(bytes, offset + 12),
      lastSenderReport: readUint32(bytes, offset + 16),
      delaySinceLastSenderReport: readUint32(bytes, offset + 20),
    });
  }
  return true;
}

function readSourceDescription(bytes: Uint8Array, start: number, end: number, chunks: number, into: Collected): boolean {
  let offset = start;
  for (let chunk = 0; chunk < chunks; chunk++) {
    if (offset + 4 > end) return false;
    const ours = readUint32(bytes, offset) === into.ssrc;
    offset += 4;
    while (offset < end && byteAt(bytes, offset) !== 0) {
      const length = byteAt(bytes, offset + 1);
      if (offset + 2 + length > end) return false;
      if (ours && byteAt(bytes, offset) === cnameItem) {
        into.cname ??= new TextDecoder().decode(bytes.subarray(offset + 2, offset + 2 + length));
      }
      offset += 2 + length;
    }
    // The list ends with a null octet and fills up to a word.
    offset += 4 - ((offset - start) % 4);
  }
  return true;
}

function readBye(bytes: Uint8Array, start: number, end: number, count: number, into: Collected): boolean {
  const reason = start + 4 * count;
  if (reason > end) return false;
  if (reason < end && reason + 1 + byteAt(bytes, reason) > end) return false;
  for (let index = 0; index < count; index++) into.byes.push(readUint32(bytes, start + 4 * index));
  return true;
}

function readExtended(bytes: Uint8Array, start: number, end: number, into: Collected): boolean {
  const blocks = start > end ? undefined : readVoiceMetrics(bytes, start, end);
  if (blocks) into.voiceMetrics.push(...blocks);
  return blocks !== undefined;
}

function writeSender(bytes: Uint8Array, offset: number, sender: SenderReport): number {
  writeUint32(bytes, offset, sender.ntpSeconds);
  writeUint32(bytes, offset + 4, sender.ntpFraction);
  writeUint32(bytes, offset + 8, sender.rtpTimestamp);
  writeUint32(bytes, offset + 12, sender.packets);
  writeUint32(bytes, offset + 16, sender.octets);
  return offset + 20;
}

function writeBlock(bytes: Uint8Array, offset: number, report: ReportBlock): number {
  const lost = Math.max(-0x80_0000, Math.min(0x7f_ffff, report.packetsLost));
  writeUint32(bytes, offset, report.ssrc);
  writeUint32(bytes, offset + 4, ((report.fractionLost << 24) | (lost & 0xff_ffff)) >>> 0);
  writeUint32(bytes, offset + 8, report.extendedHighest);
  writeUint32(bytes, offset + 12, report.jitter);
  writeUint32(bytes, offset + 16, report.lastSenderReport);
  writeUint32(bytes, offset + 20, report.delaySinceLastSenderReport);
  return offset + blockLength;
}

function writeSourceDescription(bytes: Uint8Array, start: number, ssrc: number, cname: string): number {
  const text = new TextEncoder().encode(cname).subarray(0, 64);
  // At least one null octet ends the list.
  const length = Math.ceil((8 + 2 + text.length + 1) / 4) * 4;
  bytes.fill(0, start, start + length);
  writeHead(bytes, start, 1, sourceDescriptionType, length);
  writeUint32(bytes, start + 4, ssrc);
  bytes[start + 8] = cnameItem;
  bytes[start + 9] = text.length;
  bytes.set(text, start + 10);
  return start + length;
}

function writeHead(bytes: Uint8Array, offset: number, count: number, type: number, length: number): void {
  bytes[offset] = 0x80 | count;
  bytes[offset + 1] = type;
  writeUint16(bytes, offset + 2, length / 4 - 1);
}
