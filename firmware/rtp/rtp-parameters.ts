import type { Milliseconds } from '../core/clock.ts';
import type { TransportAddress } from './remote-address.ts';
import type { VoiceMetrics } from './rtcp-xr.ts';
import type { ReceivablePayloads } from './rtp-receiver.ts';

/** What offer and answer fixed for one RTP stream. */
export interface RtpParameters {
  readonly remote: TransportAddress;
  readonly remoteRtcp: TransportAddress;
  /** The peer is behind a NAT: whoever is first to send as it should is taken for it, wherever it is. */
  readonly symmetric: boolean;
  /** RTCP shares the port of RTP, both ways (RFC 5761). */
  readonly rtcpMux: boolean;
  /** The peer wants to be told how well it is heard (RFC 3611). */
  readonly extendedReports?: boolean | undefined;
  readonly sends: boolean;
  readonly receives: boolean;
  readonly payloadType: number;
  /** Of the timestamps we send, in ticks a second. */
  readonly clockRate: number;
  /** Payload type and clock of the digits we send; `undefined` when the peer takes none. */
  readonly events: { readonly payloadType: number; readonly clockRate: number } | undefined;
  readonly payloads: ReceivablePayloads;
}

/** Counts of one stream since it began. */
export interface RtpStatistics {
  readonly packetsSent: number;
  readonly packetsReceived: number;
  readonly octetsSent: number;
  readonly octetsReceived: number;
  readonly packetsLost: number;
  readonly packetsLate: number;
  readonly packetsDuplicate: number;
  readonly packetsRefused: number;
  /** Of those: not protected with the key agreed on, or sent again by somebody. */
  readonly packetsUnauthentic: number;
  readonly jitterMs: number;
  readonly jitterBufferMs: number;
  readonly roundTripMs: number | null;
  /** How good we sound to the far end, as it says itself (RFC 3611), 1 to 5; `null` = it does not say. */
  readonly farOpinionScore: number | null;
}

/** A stream as those who watch over quality want it (RFC 6035). */
export interface StreamQuality {
  readonly localSsrc: number;
  readonly remoteSsrc: number;
  readonly remote: TransportAddress;
  readonly jitterMs: Milliseconds;
  /** What is heard here, and what the far end says that it hears. */
  readonly local: VoiceMetrics;
  readonly far: VoiceMetrics | null;
}
