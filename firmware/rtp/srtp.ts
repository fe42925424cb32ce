import { type SrtpSuiteName, srtpSuites } from '../core/srtp-suites.ts';
import { byteAt, readUint16, readUint32, rtpHeaderLength, writeUint32 } from './packet.ts';
import type { PacketTransform, ProtectionFault } from './packet-transform.ts';
import { ReplayWindow } from './replay-window.ts';
import { deriveSessionKeys, type SrtpCiphers, type SrtpMasterKey } from './srtp-keys.ts';
import { type ProtectedPacket, type Protection, protectionOf } from './srtp-protection.ts';

/** What two sides agreed on: one suite for both ways, a master key for each. */
export interface SrtpParameters {
  readonly suite: SrtpSuiteName;
  readonly sendKey: SrtpMasterKey;
  readonly receiveKey: SrtpMasterKey;
  /** Bytes of master key identifier in the peer's packets; there is one key, so what they say does not matter. */
  readonly mkiLength: number;
}

/** What is known of one source: an SSRC that proved itself. */
interface Source {
  readonly window: ReplayWindow;
}

const rtcpHeaderLength = 8;
const rtcpIndexLength = 4;
const encryptedFlag = 0x8000_0000;
const sequenceNumbers = 0x1_0000;
/** Sources at once: the peer, and those it was before it changed its SSRC. */
const sourcesAtMost = 8;
/** How far on an unknown source is looked for: ten and a half days of 20 ms packets would have to have passed before. */
const rolloversTried = 64;

/** SRTP and SRTCP of one stream, both ways (RFC 3711). */
export class Srtp implements PacketTransform {
  readonly #sender: SrtpSender;
  readonly #receiver: SrtpReceiver;

  /** `before` is what the stream had until now: where its sources are in their count goes on (§3.3.1). */
  constructor(parameters: SrtpParameters, ciphers: SrtpCiphers, before?: Srtp) {
    const { suite, sendKey, receiveKey, mkiLength } = parameters;
    this.#sender = new SrtpSender(suite, sendKey, ciphers, before ? before.#sender : undefined);
    this.#receiver = new SrtpReceiver(suite, receiveKey, mkiLength, ciphers, before ? before.#receiver : undefined);
  }

  protectRtp(bytes: Uint8Array, length: number): number {
    return this.#sender.protectRtp(bytes, length);
  }

  protectRtcp(bytes: Uint8Array, length: number): number {
    return this.#sender.protectRtcp(bytes, length);
  }

  unprotectRtp(bytes: Uint8Array): number | ProtectionFault {
    return this.#receiver.unprotectRtp(bytes);
  }

  unprotectRtcp(bytes: Uint8Array): number | ProtectionFault {
    return this.#receiver.unprotectRtcp(bytes);
  }
}

/** The sending half: one SSRC at a time, whose sequence numbers are counted on beyond 16 bits. */
class SrtpSender {
  readonly #rtp: Protection;
  readonly #rtcp: Protection;
  #ssrc: number | undefined;
  #rollover: number;
  #lastSequence: number;
  #rtcpIndex: number;

  constructor(suiteName: SrtpSuiteName, master: SrtpMasterKey, ciphers: SrtpCiphers, before: SrtpSender | undefined) {
    const suite = srtpSuites[suiteName];
    this.#rtp = protectionOf(suite, deriveSessionKeys(suite, master, 'rtp', ciphers), false, ciphers);
    this.#rtcp = protectionOf(suite, deriveSessionKeys(suite, master, 'rtcp', ciphers), true, ciphers);
    this.#ssrc = before ? before.#ssrc : undefined;
    this.#rollover = before ? before.#rollover : 0;
    this.#lastSequence = before ? before.#lastSequence : 0;
    this.#rtcpIndex = before ? before.#rtcpIndex : 0;
  }

  protectRtp(bytes: Uint8Array, length: number): number {
    const sequence = readUint16(bytes, 2);
    const ssrc = readUint32(bytes, 8);
    if (ssrc !== this.#ssrc) this.#rollover = 0;
    else if (sequence < this.#lastSequence) this.#rollover++;
    this.#ssrc = ssrc;
    this.#lastSequence = sequence;
    const index = this.#rollover * sequenceNumbers + sequence;
    this.#rtp.protect(bytes, bodyStartOf(bytes, length) ?? length, length, ssrc, index, this.#rollover, length);
    return length + this.#rtp.tagLength;
  }

  /** Counter mode puts the tag behind E flag and index, GCM before them. */
  protectRtcp(bytes: Uint8Array, length: number): number {
    this.#rtcpIndex = (this.#rtcpIndex + 1) % encryptedFlag;
    const word = encryptedFlag + this.#rtcpIndex;
    const { tagLength } = this.#rtcp;
    const tagFirst = this.#rtcp.tagFirst;
    const tagAt = tagFirst ? length : length + rtcpIndexLength;
    this.#rtcp.protect(bytes, rtcpHeaderLength, length, readUint32(bytes, 4), this.#rtcpIndex, word, tagAt);
    writeUint32(bytes, tagFirst ? length + tagLength : length, word);
    return length + tagLength + rtcpIndexLength;
  }
}

/** The receiving half. Nothing is remembered of a packet that is not authentic. */
class SrtpReceiver {
  readonly #rtp: Protection;
  readonly #rtcp: Protection;
  readonly #mkiLength: number;
  readonly #packet: ProtectedPacket = { bytes: new Uint8Array(0), bodyStart: 0, bodyEnd: 0, tagAt: 0, ssrc: 0, encrypted: true };
  readonly #sources = new Map<number, Source>();
  readonly #rtcpSources = new Map<number, Source>();
  /** How far sources were when the key changed. */
  readonly #earlier: ReadonlyMap<number, Source>;
  /** Rollover counters tried in vain on sources that are not known. */
  #tried = 0;

  constructor(suiteName: SrtpSuiteName, master: SrtpMasterKey, mkiLength: number, ciphers: SrtpCiphers, before: SrtpReceiver | undefined) {
    const suite = srtpSuites[suiteName];
    this.#rtp = protectionOf(suite, deriveSessionKeys(suite, master, 'rtp', ciphers), false, ciphers);
    this.#rtcp = protectionOf(suite, deriveSessionKeys(suite, master, 'rtcp', ciphers), true, ciphers);
    this.#mkiLength = mkiLength;
    this.#earlier = before ? before.#sources : new Map();
  }

  unprotectRtp(bytes: Uint8Array): number | ProtectionFault {
    const packet = this.#packet;
    const { tagLength, tagFirst } = this.#rtp;
    const bodyEnd = bytes.length - tagLength - this.#mkiLength;
    const bodyStart = bodyEnd < rtpHeaderLength ? undefined : bodyStartOf(bytes, bodyEnd);
    if (bodyStart === undefined) return 'srtp-truncated';
    packet.bytes = bytes;
    packet.bodyStart = bodyStart;
    packet.bodyEnd = bodyEnd;
    packet.tagAt = tagFirst ? bodyEnd : bytes.length - tagLength;
    packet.ssrc = readUint32(bytes, 8);
    packet.encrypted = true;
    const sequence = readUint16(bytes, 2);
    const source = this.#sources.get(packet.ssrc);
    if (!source) return this.#meet(sequence) ? bodyEnd : 'srtp-unauthenticated';
    const index = indexNear(source.window.highest, sequence);
    if (!source.window.permits(index)) return 'srtp-replayed';
    if (!this.#opens(index)) return 'srtp-unauthenticated';
    source.window.accept(index);
    return bodyEnd;
  }

  unprotectRtcp(bytes: Uint8Array): number | ProtectionFault {
    const packet = this.#packet;
    const { tagLength, tagFirst } = this.#rtcp;
    const bodyEnd = bytes.length - tagLength - this.#mkiLength - rtcpIndexLength;
    if (bodyEnd < rtcpHeaderLength) return 'srtp-truncated';
    const word = readUint32(bytes, tagFirst ? bodyEnd + tagLength : bodyEnd);
    const index = word % encryptedFlag;
    packet.bytes = bytes;
    packet.bodyStart = rtcpHeaderLength;
    packet.bodyEnd = bodyEnd;
    packet.tagAt = tagFirst ? bodyEnd : bytes.length - tagLength;
    packet.ssrc = readUint32(bytes, 4);
    packet.encrypted = word >= encryptedFlag;
    const source = this.#rtcpSources.get(packet.ssrc);
    if (source && !source.window.permits(index)) return 'srtp-replayed';
    if (!this.#rtcp.unprotect(packet, index, word)) return 'srtp-unauthenticated';
    if (source) source.window.accept(index);
    else remember(this.#rtcpSources, packet.ssrc, index);
    return bodyEnd;
  }

  /**
   * A source not heard before begins at rollover 0, or where it was under the key before. When this daemon was restarted in the middle of a
   * call neither is so: each packet that fits neither tries one more.
   */
  #meet(sequence: number): boolean {
    const { ssrc } = this.#packet;
    const known = this.#earlier.get(ssrc);
    const guesses = [sequence, (1 + (this.#tried % rolloversTried)) * sequenceNumbers + sequence];
    if (known) guesses.unshift(indexNear(known.window.highest, sequence));
    const index = guesses.find((guess) => this.#opens(guess));
    if (index === undefined) this.#tried++;
    else remember(this.#sources, ssrc, index);
    return index !== undefined;
  }

  #opens(index: number): boolean {
    return this.#rtp.unprotect(this.#packet, index, Math.floor(index / sequenceNumbers));
  }
}

function remember(sources: Map<number, Source>, ssrc: number, index: number): void {
  const [oldest] = sources.keys();
  if (sources.size >= sourcesAtMost && oldest !== undefined) sources.delete(oldest);
  sources.set(ssrc, { window: new ReplayWindow(index) });
}

/** §3.3.1: the index with this sequence number that is nearest to the highest heard. */
function indexNear(highest: number, sequence: number): number {
  const rollover = Math.floor(highest / sequenceNumbers);
  const difference = sequence - (highest % sequenceNumbers);
  if (difference > sequenceNumbers / 2) return rollover === 0 ? sequence : (rollover - 1) * sequenceNumbers + sequence;
  if (difference < -sequenceNumbers / 2) return (rollover + 1) * sequenceNumbers + sequence;
  return rollover * sequenceNumbers + sequence;
}

/** Behind the header with its sources and its extension, all of which stay readable; `undefined` when they do not fit. */
function bodyStartOf(bytes: Uint8Array, length: number): number | undefined {
  const first = byteAt(bytes, 0);
  let start = rtpHeaderLength + 4 * (first & 0x0f);
  if (first & 0x10) {
    if (start + 4 > length) return undefined;
    start += 4 + 4 * readUint16(bytes, start + 2);
  }
  return start <= length ? start : undefined;
}
