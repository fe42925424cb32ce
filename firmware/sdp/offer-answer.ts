import { UsageError } from '../core/errors.ts';
import { type AudioFormat, attributesFor, comfortNoise, formatsOf, sameEncoding } from './audio-format.ts';
import { hasRtcpCandidates, iceAttributes, type LocalIce, type RemoteIce, remoteIceOf } from './ice-attributes.ts';
import {
  agreedPtime,
  directionOf,
  intersectDirections,
  isHoldAddress,
  isUsableAddress,
  type MediaDirection,
  reverseDirection,
  rtcpTargetOf,
} from './media-attributes.ts';
import {
  agreeOnSecurity,
  answerAttributes,
  type LocalSecurity,
  type NegotiatedSecurity,
  offerAttributes,
  type SecurityFailure,
  transportOf,
} from './media-security.ts';
import {
  attributeValue,
  hasAttribute,
  type MediaSection,
  type Origin,
  type SdpAddress,
  type SdpAttribute,
  type SessionDescription,
  splitWords,
} from './session-description.ts';

/** RFC 3551 §6: from here on a payload type means what SDP says. */
const firstDynamic = 96;

/** What this side can and wants to do on its one audio stream. */
export interface LocalAudio {
  /** IPv4 or IPv6 literal where RTP is to be sent to us. */
  readonly address: string;
  readonly port: number;
  readonly rtcpPort: number;
  /** Best first. */
  readonly codecs: readonly AudioFormat[];
  /** RFC 4733 digits by the clocks they may have; empty to neither offer nor accept them. */
  readonly telephoneEvents: readonly AudioFormat[];
  /** Describe silence instead of sending it (RFC 3389), to those who know how to fill it. */
  readonly comfortNoise: boolean;
  /** Milliseconds of sound in one packet as we like it. */
  readonly ptime: number;
  readonly maxPtime: number;
  /** `sendonly` or `inactive` puts the peer on hold. */
  readonly direction: MediaDirection;
  /** `undefined` = no search for a way through NATs. */
  readonly ice: LocalIce | undefined;
  /** `undefined` = packets are not protected, and cannot be. */
  readonly security: LocalSecurity | undefined;
  /** Offer that RTCP shares the port of RTP (RFC 5761). Theirs is accepted anyway. */
  readonly rtcpMux: boolean;
  /** Ask to be told how well we are heard (RFC 3611), and tell who asks. */
  readonly extendedReports?: boolean | undefined;
}

/** One encoding both sides know; the payload types may differ by direction (RFC 3264 §6.1). */
export interface NegotiatedCodec {
  readonly name: string;
  readonly clockRate: number;
  readonly channels: number;
  readonly sendPayloadType: number;
  readonly receivePayloadType: number;
  /** The peer's fmtp parameters. */
  readonly parameters: string | undefined;
}

/** RFC 4733 digits under the payload types of both sides. */
export interface NegotiatedEvents {
  readonly sendPayloadType: number;
  readonly receivePayloadType: number;
  readonly clockRate: number;
}

/** What both sides agreed on, seen from here: all that media needs to run the stream. */
export interface NegotiatedAudio {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly remoteRtcpAddress: string;
  readonly remoteRtcpPort: number;
  /** All that may arrive; the first is the one to send. Never empty. */
  readonly codecs: readonly [NegotiatedCodec, ...NegotiatedCodec[]];
  /** All digits that may arrive; the first are those to send. */
  readonly telephoneEvents: readonly NegotiatedEvents[];
  readonly comfortNoise: boolean;
  /** Milliseconds of sound in each packet we send. */
  readonly ptime: number;
  /** What we do: `sendonly` means we send and the peer listens. */
  readonly direction: MediaDirection;
  /** Both sides know ICE. */
  readonly ice: RemoteIce | undefined;
  readonly security: NegotiatedSecurity | undefined;
  readonly rtcpMux: boolean;
  /** The peer asks to be told how well it is heard. */
  readonly extendedReports?: boolean | undefined;
  /** The transport of the section, which a later offer repeats. */
  readonly protocol: string;
  /** The peer holds us: by sendonly, by inactive, or by the null address of RFC 2543. */
  readonly heldByRemote: boolean;
}

export type UnusableReason = SecurityFailure | 'no-audio' | 'no-address' | 'no-common-codec' | 'refused';

export type ApplyOutcome =
  | { readonly outcome: 'agreed'; readonly audio: NegotiatedAudio }
  | { readonly outcome: 'unusable'; readonly reason: UnusableReason };

export type AnswerOutcome =
  | { readonly outcome: 'agreed'; readonly answer: SessionDescription; readonly audio: NegotiatedAudio }
  | { readonly outcome: 'unusable'; readonly reason: UnusableReason };

/** The state of an offer/answer exchange as plain JSON, for the journal of a call and for forked dialogs. */
export interface OfferAnswerSnapshot {
  /** Digits; with `version` our o= line. */
  readonly sessionId: string;
  /** Of the description sent last. */
  readonly version: number;
  /** The description sent last: its m-lines keep their places for the whole session (RFC 3264 §8). */
  readonly sent?: SessionDescription | undefined;
  /** Which m-line is our audio. */
  readonly audioIndex: number;
  /** Our offer that waits for an answer. */
  readonly offered?: LocalAudio | undefined;
  readonly negotiated?: NegotiatedAudio | undefined;
}

/**
 * One dialog's offers and answers (RFC 3264) over a single audio stream. Whose turn it is belongs to SIP; here only an answer without an
 * offer is refused. Nothing changes when an outcome is `unusable`, so a failed re-offer leaves the call as it was.
 */
export class OfferAnswer {
  readonly #sessionId: string;
  #version: number;
  #sent: SessionDescription | undefined;
  #audioIndex: number;
  #offered: LocalAudio | undefined;
  #negotiated: NegotiatedAudio | undefined;

  /** A snapshot continues where it was taken; for a new session `startOfferAnswer` makes the first. */
  constructor(snapshot: OfferAnswerSnapshot) {
    this.#sessionId = snapshot.sessionId;
    this.#version = snapshot.version;
    this.#sent = snapshot.sent;
    this.#audioIndex = snapshot.audioIndex;
    this.#offered = snapshot.offered;
    this.#negotiated = snapshot.negotiated;
  }

  /** The agreement in force. */
  get negotiated(): NegotiatedAudio | undefined {
    return this.#negotiated;
  }

  /** True while our offer waits for an answer. */
  get offerPending(): boolean {
    return this.#offered !== undefined;
  }

  snapshot(): OfferAnswerSnapshot {
    return {
      sessionId: this.#sessionId,
      version: this.#version,
      sent: this.#sent,
      audioIndex: this.#audioIndex,
      offered: this.#offered,
      negotiated: this.#negotiated,
    };
  }

  /** A first offer, or a re-offer: hold, resume, another address. */
  offer(local: LocalAudio): SessionDescription {
    const agreed = this.#negotiated;
    const offered = { ...local, ...this.#keptPayloadTypes(local) };
    const ice = local.ice ? iceAttributes(local.ice, agreed?.rtcpMux === true) : [];
    const extras = [
      ...offerAttributes(local.security, agreed?.security),
      ...ice,
      ...muxAttributes(local.rtcpMux),
      ...reportAttributes(local.extendedReports),
    ];
    const protocol = agreed?.protocol ?? transportOf(local.security);
    const formats = [...offered.codecs, ...noiseOf(local.comfortNoise), ...offered.telephoneEvents];
    const section = audioSection(offered, formats, offered.direction, offered.ptime, protocol, extras);
    const media = (this.#sent?.media ?? [section]).map((known, index) => (index === this.#audioIndex ? section : refused(known)));
    this.#offered = offered;
    return this.#send(local, media);
  }

  /** Takes our offer back: it was refused (488, 491) or never answered. */
  withdrawOffer(): void {
    this.#offered = undefined;
  }

  /** The peer's answer to our offer. Throws UsageError when there is no offer. */
  applyAnswer(answer: SessionDescription): ApplyOutcome {
    const local = this.#offered;
    if (!local) throw new UsageError('no-offer', 'an answer without an offer');
    const section = answer.media[this.#audioIndex];
    if (!section) return { outcome: 'unusable', reason: 'no-audio' };
    if (section.port === 0) return { outcome: 'unusable', reason: 'refused' };
    const examined = examine(answer, section, local, local, this.#negotiated);
    if (examined.outcome === 'unusable') return examined;
    this.#offered = undefined;
    this.#negotiated = examined.audio;
    return { outcome: 'agreed', audio: examined.audio };
  }

  /** Answers the peer's offer; `unusable` becomes 488. Streams that are not our audio are refused with port 0. */
  answer(offer: SessionDescription, local: LocalAudio): AnswerOutcome {
    const chosen = this.#chooseSection(offer, local);
    if (chosen.outcome === 'unusable') return chosen;
    const { audio, section: offered, index } = chosen;
    const formats = [...audio.codecs.map((codec) => ownFormat(codec, local)), ...noiseOf(audio.comfortNoise), ...ownEvents(audio, local)];
    const ice = audio.ice && local.ice ? iceAttributes(local.ice, !hasRtcpCandidates(audio.ice)) : [];
    const extras = [
      ...answerAttributes(local.security, audio.security),
      ...ice,
      ...muxAttributes(audio.rtcpMux),
      ...reportAttributes(audio.extendedReports),
    ];
    const section = audioSection(local, formats, audio.direction, audio.ptime, offered.protocol, extras);
    this.#audioIndex = index;
    this.#offered = undefined;
    this.#negotiated = audio;
    const answer = this.#send(
      local,
      offer.media.map((known, place) => (place === index ? section : refused(known))),
    );
    return { outcome: 'agreed', answer, audio };
  }

  /** The audio line of the session so far if it is usable, else the first usable one. */
  #chooseSection(offer: SessionDescription, local: LocalAudio) {
    let reason: UnusableReason = 'no-audio';
    const places = offer.media.map((_, index) => index).sort((a, b) => rank(a, this.#audioIndex) - rank(b, this.#audioIndex));
    for (const index of places) {
      const section = offer.media[index];
      if (section?.media !== 'audio' || section.port === 0) continue;
      const examined = examine(offer, section, local, undefined, this.#negotiated);
      if (examined.outcome === 'agreed') return { ...examined, section, index };
      reason = examined.reason;
    }
    return { outcome: 'unusable', reason } as const;
  }

  /** RFC 3264 §8.3.2: a dynamic payload type keeps its meaning for the whole session, and no other format gets it. */
  #keptPayloadTypes(local: LocalAudio): Pick<LocalAudio, 'codecs' | 'telephoneEvents'> {
    const agreed = this.#negotiated;
    if (!agreed) return local;
    const known = [...agreed.codecs.map((codec) => ownFormat(codec, local)), ...ownEvents(agreed, local)];
    const taken = new Set(known.map(({ payloadType }) => payloadType));
    const kept = (format: AudioFormat): AudioFormat => {
      const same = known.find((candidate) => sameEncoding(candidate, format));
      const payloadType = same?.payloadType ?? freePayloadType(format.payloadType, taken);
      taken.add(payloadType);
      return { ...format, payloadType };
    };
    return { codecs: local.codecs.map(kept), telephoneEvents: local.telephoneEvents.map(kept) };
  }

  /** RFC 3264 §8: the version goes up by one when, and only when, the description is not the one sent before. */
  #send(local: LocalAudio, media: readonly MediaSection[]): SessionDescription {
    const connection = addressOf(local.address);
    const same = this.#sent && sameText(this.#sent.connection, connection) && sameText(this.#sent.media, media);
    if (this.#sent && !same) this.#version++;
    const origin: Origin = { username: '-', sessionId: this.#sessionId, version: String(this.#version), ...connection };
    this.#sent = { origin, sessionName: 'hookswitch', connection, attributes: [], media };
    return this.#sent;
  }
}

/** The state before any offer. `sessionId` is random digits, at most 18 of them. */
export function startOfferAnswer(sessionId: string): OfferAnswerSnapshot {
  return { sessionId, version: 1, audioIndex: 0 };
}

/** What a peer's section means against our side; `offered` is our own offer when the section is an answer to it. */
function examine(
  description: SessionDescription,
  section: MediaSection,
  local: LocalAudio,
  offered: LocalAudio | undefined,
  before: NegotiatedAudio | undefined,
): ApplyOutcome {
  const { security, rtcpMux } = local;
  const secured = agreeOnSecurity(section, description.attributes, security, offered !== undefined, before?.security);
  if (secured.outcome === 'unusable') return secured;
  const address = (section.connection ?? description.connection)?.address;
  if (address === undefined || !isUsableAddress(address)) return { outcome: 'unusable', reason: 'no-address' };
  const formats = withOfferedFormats(section, offered);
  const [best, ...others] = commonCodecs(formats, local, offered);
  if (!best) return { outcome: 'unusable', reason: 'no-common-codec' };
  const remoteDirection = directionOf(section.attributes, description.attributes);
  const nullAddress = isHoldAddress(address);
  const wanted = intersectDirections(local.direction, reverseDirection(remoteDirection));
  const muxed = hasAttribute(section.attributes, 'rtcp-mux') && (rtcpMux || !offered);
  const iceContext = { answered: offered !== undefined, muxed, address };
  const audio: NegotiatedAudio = {
    remoteAddress: address,
    remotePort: section.port,
    ...rtcpTargetOf(section, address),
    codecs: [best, ...others],
    telephoneEvents: commonEvents(formats, local, best.clockRate, offered !== undefined),
    comfortNoise: local.comfortNoise && formats.some((format) => sameEncoding(format, comfortNoise)),
    ptime: agreedPtime(section.attributes, description.attributes, local.ptime, local.maxPtime),
    direction: nullAddress ? intersectDirections(wanted, 'recvonly') : wanted,
    ice: local.ice && remoteIceOf(section, description.attributes, iceContext),
    security: secured.security,
    rtcpMux: muxed,
    ...(local.extendedReports && wantsVoiceMetrics(section) && { extendedReports: true }),
    protocol: section.protocol,
    heldByRemote: nullAddress || remoteDirection === 'sendonly' || remoteDirection === 'inactive',
  };
  return { outcome: 'agreed', audio };
}

/** Some peers answer a dynamic payload type of ours without its rtpmap: then it means what we offered. */
function withOfferedFormats(section: MediaSection, offered: LocalAudio | undefined): AudioFormat[] {
  const formats = formatsOf(section);
  if (!offered) return formats;
  for (const format of [...offered.codecs, ...offered.telephoneEvents]) {
    const named = section.formats.includes(String(format.payloadType));
    if (named && !formats.some((known) => known.payloadType === format.payloadType)) formats.push(format);
  }
  return formats;
}

/** In the peer's order (RFC 3264 §6.1: keep the relative order of the offer; §7: send the first of the answer). */
function commonCodecs(formats: readonly AudioFormat[], local: LocalAudio, offered: LocalAudio | undefined): NegotiatedCodec[] {
  const codecs: NegotiatedCodec[] = [];
  for (const format of formats) {
    const own = local.codecs.find((codec) => sameEncoding(codec, format));
    if (!own || codecs.some((codec) => codec.name === own.name && codec.clockRate === own.clockRate)) continue;
    codecs.push({
      name: own.name,
      clockRate: own.clockRate,
      channels: own.channels,
      sendPayloadType: format.payloadType,
      receivePayloadType: offered ? own.payloadType : format.payloadType,
      parameters: format.parameters,
    });
  }
  return codecs;
}

/**
 * RFC 4733 §2.6: events run on the clock of the audio they stand in for, so those come first. Where a peer knows digits on another clock only,
 * that is better than none: their durations are counted on it, and their timestamps on the audio's.
 */
function commonEvents(formats: readonly AudioFormat[], local: LocalAudio, clockRate: number, answered: boolean): NegotiatedEvents[] {
  const events = local.telephoneEvents.flatMap((own) => {
    const format = formats.find((candidate) => sameEncoding(candidate, own));
    if (!format) return [];
    const receivePayloadType = answered ? own.payloadType : format.payloadType;
    return [{ sendPayloadType: format.payloadType, receivePayloadType, clockRate: own.clockRate }];
  });
  return events.sort((a, b) => Number(b.clockRate === clockRate) - Number(a.clockRate === clockRate));
}

function audioSection(
  local: LocalAudio,
  formats: readonly AudioFormat[],
  direction: MediaDirection,
  ptime: number,
  protocol: string,
  extras: readonly SdpAttribute[],
): MediaSection {
  const attributes = [
    ...formats.flatMap(attributesFor),
    { name: 'ptime', value: String(ptime) },
    { name: 'maxptime', value: String(local.maxPtime) },
    { name: direction, value: undefined },
    ...extras,
  ];
  // RFC 3605: said only when it is not the next port, for old peers choke on attributes they do not know.
  if (local.rtcpPort !== local.port + 1) attributes.push({ name: 'rtcp', value: String(local.rtcpPort) });
  return {
    media: 'audio',
    port: local.port,
    protocol,
    formats: formats.map((format) => String(format.payloadType)),
    connection: undefined,
    attributes,
  };
}

function muxAttributes(rtcpMux: boolean): SdpAttribute[] {
  return rtcpMux ? [{ name: 'rtcp-mux', value: undefined }] : [];
}

/** RFC 3611 §5.1. */
function reportAttributes(extendedReports: boolean | undefined): SdpAttribute[] {
  return extendedReports ? [{ name: 'rtcp-xr', value: 'voip-metrics' }] : [];
}

function wantsVoiceMetrics({ attributes }: MediaSection): boolean {
  const asked = attributeValue(attributes, 'rtcp-xr');
  return asked !== undefined && splitWords(asked).some((format) => format === 'voip-metrics');
}

/** The same stream with port 0 and nothing else that could be misread. */
function refused(section: MediaSection): MediaSection {
  return { ...section, port: 0, connection: undefined, attributes: [] };
}

/** What was agreed as this side says it: under the number it expects, with its own parameters. */
function ownFormat({ name, clockRate, channels, receivePayloadType }: NegotiatedCodec, local: LocalAudio): AudioFormat {
  const format = { payloadType: receivePayloadType, name, clockRate, channels, parameters: undefined };
  return { ...format, parameters: local.codecs.find((codec) => sameEncoding(codec, format))?.parameters };
}

function ownEvents({ telephoneEvents }: NegotiatedAudio, local: LocalAudio): AudioFormat[] {
  return local.telephoneEvents.flatMap((own) => {
    const agreed = telephoneEvents.find(({ clockRate }) => clockRate === own.clockRate);
    return agreed ? [{ ...own, payloadType: agreed.receivePayloadType }] : [];
  });
}

function noiseOf(wanted: boolean): AudioFormat[] {
  return wanted ? [comfortNoise] : [];
}

/** The payload type wished for if it is static or free, else a dynamic one that is. */
function freePayloadType(wished: number, taken: ReadonlySet<number>): number {
  if (wished < firstDynamic || !taken.has(wished)) return wished;
  let payloadType = firstDynamic;
  while (taken.has(payloadType) && payloadType < 127) payloadType++;
  return payloadType;
}

function addressOf(address: string): SdpAddress {
  return { addressType: address.includes(':') ? 'IP6' : 'IP4', address };
}

function sameText(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function rank(index: number, preferred: number): number {
  return index === preferred ? -1 : index;
}
